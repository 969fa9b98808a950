import { createHash, hash } from 'node:crypto'
import { groupIp } from './ip.ts'
import { aString, requireValid } from './validation.ts'

/** Who a request is from, by dimension; what is missing is not limited by. */
export type Dimensions = Readonly<Record<string, string | undefined>>

/** As many bytes of an identifier stand in a key; longer ones are hashed. */
const MAX_BYTES = 32
const HASH = 35

/**
 * The identifier of what a policy counts, or undefined when the request lacks one of its
 * dimensions: it is then not limited by this policy, and never in a bucket with others that lack it.
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
    // With its length before it, no two lists of values make the same text.
    joined += `${value.length}:${value}`
  }
  return joined
}

function valueOf(dimension: string, dimensions: Dimensions, ipv6Prefix: 48 | 56 | 64) {
  const value = dimensions[dimension]
  if (value === undefined || value === '') return undefined
  if (typeof value !== 'string') return missing(dimension, dimensions)
  return dimension === 'ip' ? groupIp(value, ipv6Prefix) : value
}

/** An inherited name, such as `constructor`, is no dimension. @throws RateLimitError `bad-argument` */
function missing(dimension: string, dimensions: Dimensions): undefined {
  if (!Object.hasOwn(dimensions, dimension)) return undefined
  requireValid('bad-argument', dimensions[dimension], aString(`dimension "${dimension}"`))
}

const HASHED = /^#[\w!-][\w-]{30}$/

/** An identifier as a report names it, in a key: what is hashed stays as it is. */
export function subjectPart(id: string): string {
  return HASHED.test(id) ? id : keyPart(id)
}

/** An identifier as it stands in a key: at most 32 bytes, and different for each. */
export function keyPart(id: string): string {
  // A hash begins with #, so what begins with # is hashed: nobody can name himself as another's hash.
  const short = id.length <= MAX_BYTES && id.charCodeAt(0) !== HASH
  const wellFormed = id.isWellFormed()
  // A UTF-16 unit is at most three bytes.
  if (short && wellFormed && (id.length * 3 <= MAX_BYTES || Buffer.byteLength(id) <= MAX_BYTES)) {
    return id
  }
  // As UTF-8 all lone surrogates would be the same.
  const digest = wellFormed
    ? hash('sha256', id, 'base64url')
    : `!${createHash('sha256').update(Buffer.from(id, 'utf16le')).digest('base64url')}`
  return `#${digest.slice(0, 31)}`
}
