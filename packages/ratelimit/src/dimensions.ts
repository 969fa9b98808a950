import { createHash, hash } from 'node:crypto'
import { isIPv4, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'
import { anIpv6Prefix, aString, requireValid } from './validation.ts'

/** The identifiers of a request by dimension. A missing dimension is not limited (R4). */
export type Dimensions = Readonly<Record<string, string | undefined>>

export type IpAddress = ipaddr.IPv4 | ipaddr.IPv6

/** The longest identifier in a key, in bytes. Longer ones are hashed. */
const MAX_BYTES = 32
const HASH = 35
const HASHED = /^#[\w!-][\w-]{30}$/

/** The longest address with brackets, a zone and a port. */
const MAX_IP_LENGTH = 100
const IPV4_WITH_PORT = /^([\d.]{7,15}):\d{1,5}$/
const IPV6_IN_BRACKETS = /^\[([^\]]+)\](?::\d{1,5})?$/

/**
 * The identifier that a policy counts, or undefined when the request lacks one of its dimensions.
 * Such a request is not limited by the policy. Requests that lack a dimension never share a bucket
 * (R4).
 */
export function identify(
  by: readonly string[],
  dimensions: Dimensions,
  ipv6Prefix: 48 | 56 | 64,
): string | undefined {
  const [first, second] = by
  if (first === undefined) return ''
  if (second === undefined) return valueOf(first, dimensions, ipv6Prefix)
  let joined = ''
  for (const dimension of by) {
    const value = valueOf(dimension, dimensions, ipv6Prefix)
    if (value === undefined) return undefined
    // The length comes first, so that no two lists of values result in the same text.
    joined += `${value.length}:${value}`
  }
  return joined
}

function valueOf(dimension: string, dimensions: Dimensions, ipv6Prefix: 48 | 56 | 64) {
  const value = dimensions[dimension]
  if (value === undefined || value === '') return undefined
  if (typeof value !== 'string') return requireInherited(dimension, dimensions)
  return dimension === 'ip' ? groupIp(value, ipv6Prefix) : value
}

/** An inherited name, such as `constructor`, is no dimension. @throws RateLimitError `bad-argument` */
function requireInherited(dimension: string, dimensions: Dimensions): undefined {
  if (!Object.hasOwn(dimensions, dimension)) return undefined
  requireValid('bad-argument', dimensions[dimension], aString(`dimension "${dimension}"`))
}

/** The key part of an identifier from a report. A hashed identifier stays as it is. */
export function subjectPart(id: string): string {
  return HASHED.test(id) ? id : keyPart(id)
}

/** The key part of an identifier: at most 32 bytes, and different for each identifier. */
export function keyPart(id: string): string {
  // A hash begins with #. An identifier that begins with # is hashed too, so that no caller can
  // choose the hash of another caller as its name.
  const isShort = id.length <= MAX_BYTES && id.charCodeAt(0) !== HASH
  const isWellFormed = id.isWellFormed()
  // A UTF-16 unit is at most three bytes.
  const isWithinBytes = () => id.length * 3 <= MAX_BYTES || Buffer.byteLength(id) <= MAX_BYTES
  if (isShort && isWellFormed && isWithinBytes()) return id
  // In UTF-8, all lone surrogates would be the same.
  const digest = isWellFormed
    ? hash('sha256', id, 'base64url')
    : `!${createHash('sha256').update(Buffer.from(id, 'utf16le')).digest('base64url')}`
  return `#${digest.slice(0, 31)}`
}

/**
 * Parses an address in the spellings of proxies: with a port, in brackets, in quotes, with a zone, or
 * IPv4 mapped into IPv6. The result has no port and no zone, and a mapped address becomes IPv4.
 */
export function parseIp(text: string): IpAddress | undefined {
  if (typeof text !== 'string' || text.length > MAX_IP_LENGTH) return undefined
  const plain = withoutPort(text.trim().replace(/^"(.*)"$/, '$1'))
  const zone = plain.indexOf('%')
  const address = zone === -1 ? plain : plain.slice(0, zone)
  // ipaddr.js also parses octal, hexadecimal and shortened forms of IPv4; node does not.
  return isIPv4(address) || isIPv6(address) ? ipaddr.process(address) : undefined
}

/**
 * The canonical spelling of an address: IPv4 in dotted decimal, IPv6 as in RFC 5952. Undefined for
 * text that is not an address.
 */
export function canonicalIp(text: string): string | undefined {
  if (typeof text !== 'string') return undefined
  return isIPv4(text) ? text : parseIp(text)?.toString()
}

/**
 * The part of an address that its client cannot change at will: a whole IPv4 address (mapped into
 * IPv6 or not), or the first `prefix` bits of an IPv6 address, which one customer receives.
 * @throws RateLimitError `bad-argument`
 */
export function groupIp(address: string, prefix: 48 | 56 | 64 = 56): string {
  if (typeof address !== 'string' || (prefix !== 56 && prefix !== 64 && prefix !== 48)) {
    requireValid('bad-argument', address, aString('address'))
    requireValid('bad-argument', prefix, anIpv6Prefix)
  }
  if (!address.includes(':')) return address
  const parsed = parseIp(address)
  if (!parsed) return address
  if (!('parts' in parsed)) return parsed.toString()
  const [a = 0, b = 0, c = 0, d = 0] = parsed.parts
  const fourth = prefix === 64 ? d : prefix === 56 ? d & 0xff00 : 0
  return `${[a, b, c, fourth].map((group) => group.toString(16)).join(':')}::/${prefix}`
}

function withoutPort(text: string): string {
  const match = IPV4_WITH_PORT.exec(text) ?? IPV6_IN_BRACKETS.exec(text)
  return match?.[1] ?? text
}
