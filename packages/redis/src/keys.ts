/** The hash tag of what all parts of the platform share. */
export const SHARED_SLOT = 'threefold'

/**
 * Names the keys of one concern: `keyspace('cluster')('instances')` is
 * `threefold:{cluster}:instances`. The concern is the hash tag, so that on Redis Cluster all its
 * keys are in one slot and one script can touch them. Different parts never make the same key: a
 * colon inside a part, as in an IPv6 address, is escaped.
 *
 * @throws TypeError when the concern is empty or has braces, and so would be no hash tag
 */
export function keyspace(concern: string) {
  if (!/^[^{}]+$/.test(concern)) throw new TypeError(`"${concern}" cannot be a hash tag`)
  return function key(...parts: string[]): string {
    return ['threefold', `{${concern}}`, ...parts.map(escapePart)].join(':')
  }
}

function escapePart(part: string): string {
  return part.replace(/[%:]/g, encodeURIComponent)
}
