/** The hash tag of what all parts of the platform share. */
export const SHARED_SLOT = 'shared'

/** What the names of a deployment begin with unless it chose another prefix. */
export const DEFAULT_PREFIX = 'threefold'

/** How a deployment names its keys and channels. */
export interface Naming {
  /** What they begin with: two deployments on one server have different ones. */
  prefix?: string | undefined
  /**
   * Whether channels are also served under the names of the release before, which had no database
   * number: as long as instances of that release run. True by default.
   */
  legacyNames?: boolean | undefined
}

/**
 * Names the keys of one concern: `keyspace('cluster')('instances')` is
 * `threefold:{shared}:cluster:instances`. On Redis Cluster all of them are in one slot, so that one
 * script can touch them and one connection reaches them. With `ownSlot` the concern is the hash tag:
 * for what has much traffic, and a connection, of its own. Different parts never make the same key: a
 * colon inside a part, as in an IPv6 address, is escaped. A connection has `keyspace` with its prefix.
 *
 * @throws TypeError when the concern is empty or has braces, and so would be no hash tag, or the
 * prefix is malformed
 */
export function keyspace(concern: string, { ownSlot = false, prefix = DEFAULT_PREFIX } = {}) {
  if (!/^[^{}]+$/.test(concern)) throw new TypeError(`"${concern}" cannot be a hash tag`)
  if (!isPrefix(prefix)) throw new TypeError(`"${prefix}" cannot be a prefix of keys`)
  const begin = ownSlot ? `${prefix}:{${concern}}` : `${prefix}:{${SHARED_SLOT}}:${concern}`
  return function key(...parts: string[]): string {
    return [begin, ...parts.map(escapePart)].join(':')
  }
}

/** Whether a prefix ends where the rest of a name begins, so that no two make the same name. */
export function isPrefix(prefix: string): boolean {
  return /^[A-Za-z0-9._-]{1,64}$/.test(prefix)
}

function escapePart(part: string): string {
  return part.replace(/[%:]/g, encodeURIComponent)
}
