/** The hash tag of what all parts of the platform share. */
export const SHARED_SLOT = 'shared'

/**
 * Names the keys of one concern: `keyspace('cluster')('instances')` is
 * `threefold:{shared}:cluster:instances`. On Redis Cluster all of them are in one slot, so that one
 * script can touch them and one connection reaches them. With `ownSlot` the concern is the hash tag:
 * for what has much traffic, and a connection, of its own. Different parts never make the same key: a
 * colon inside a part, as in an IPv6 address, is escaped.
 *
 * @throws TypeError when the concern is empty or has braces, and so would be no hash tag
 */
export function keyspace(concern: string, { ownSlot = false } = {}) {
  if (!/^[^{}]+$/.test(concern)) throw new TypeError(`"${concern}" cannot be a hash tag`)
  const prefix = ownSlot ? `threefold:{${concern}}` : `threefold:{${SHARED_SLOT}}:${concern}`
  return function key(...parts: string[]): string {
    return [prefix, ...parts.map(escapePart)].join(':')
  }
}

function escapePart(part: string): string {
  return part.replace(/[%:]/g, encodeURIComponent)
}
