import { isIPv4 } from 'node:net'
import { canonicalIp, groupIp } from '@repo/ratelimit'

/**
 * The network of an address in its canonical form: /24 for IPv4, mapped into IPv6 or not, and /64
 * for IPv6. All that is not an address is one network.
 */
export function networkOf(address: string | undefined): string {
  const plain = canonicalIp(address ?? '')
  if (plain === undefined) return 'unknown'
  const group = groupIp(plain, 64)
  return isIPv4(group) ? `${group.slice(0, group.lastIndexOf('.'))}.0/24` : group
}
