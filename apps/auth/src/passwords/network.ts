import { isIPv4 } from 'node:net'
import { canonicalIp, groupIp } from '@repo/ratelimit'

/**
 * The network of an address, however it is spelled: /24 for IPv4, mapped into IPv6 or not, and /64
 * for IPv6. All that is not an address is one network.
 */
export function networkOf(address: string | undefined): string {
  const canonical = address === undefined ? undefined : canonicalIp(address)
  if (canonical === undefined) return 'unknown'
  if (!isIPv4(canonical)) return groupIp(canonical, 64)
  return `${canonical.slice(0, canonical.lastIndexOf('.'))}.0/24`
}
