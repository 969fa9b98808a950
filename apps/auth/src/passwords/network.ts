import { isIPv4 } from 'node:net'
import { canonicalIp, groupIp } from '@repo/ratelimit'

/**
 * The network of an address in any spelling: /24 for IPv4, also mapped into IPv6, and /64 for IPv6.
 * All texts that are no address are one network.
 */
export function networkOf(address: string | undefined): string {
  const canonical = address === undefined ? undefined : canonicalIp(address)
  if (canonical === undefined) return 'unknown'
  if (!isIPv4(canonical)) return groupIp(canonical, 64)
  return `${canonical.slice(0, canonical.lastIndexOf('.'))}.0/24`
}
