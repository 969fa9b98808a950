import { isIPv4, isIPv6 } from 'node:net'

/**
 * The part of a client's address that it cannot change at will: an IPv4 address (mapped into IPv6 or
 * not) whole, of an IPv6 address the first `prefix` bits, which is what one customer is given.
 */
export function groupIp(address: string, prefix: 48 | 56 | 64 = 56): string {
  if (!address.includes(':')) return address
  const zone = address.indexOf('%')
  const plain = zone === -1 ? address : address.slice(0, zone)
  if (!isIPv6(plain)) return address
  const groups = expand(plain)
  const [, , , , , mapped, high = 0, low = 0] = groups
  if (mapped === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
  }
  const [a = 0, b = 0, c = 0, d = 0] = groups
  const fourth = prefix === 64 ? d : prefix === 56 ? d & 0xff00 : 0
  return `${[a, b, c, fourth].map((group) => group.toString(16)).join(':')}::/${prefix}`
}

/** The eight groups of a valid address. */
function expand(address: string): number[] {
  const dot = address.lastIndexOf(':') + 1
  const tail = address.slice(dot)
  const text = isIPv4(tail) ? address.slice(0, dot) + toGroups(tail) : address
  const [head = '', rest] = text.split('::')
  const before = parse(head)
  if (rest === undefined) return before
  const after = parse(rest)
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0)
  return [...before, ...zeros, ...after]
}

function parse(groups: string): number[] {
  return groups === '' ? [] : groups.split(':').map((group) => Number.parseInt(group, 16))
}

function toGroups(ipv4: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split('.').map(Number)
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
}
