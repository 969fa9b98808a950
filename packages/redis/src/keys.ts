import { checkOption, refuse } from './bad-option.ts'

/** The hash tag of keys that all packages share. */
export const SHARED_SLOT = 'shared'

/** The default prefix of keys and channels. */
export const DEFAULT_PREFIX = 'threefold'

/** A concern can be a hash tag. */
const CONCERN = /^[^{}]+$/
/** The longest part of a key. */
const MAX_PART = 4_096

/** The names of keys and channels of a deployment. */
export interface Naming {
  /** Their prefix. Two deployments on one server have different prefixes. */
  prefix?: string | undefined
  /**
   * Whether channels are also served under the names of the previous release, which had no database
   * number, while instances of that release run. True by default.
   */
  legacyNames?: boolean | undefined
}

/**
 * Returns a function that names the keys of one concern: `keyspace('cluster')('instances')` is
 * `threefold:{shared}:cluster:instances`. On Redis Cluster all of them are in one slot, so one script
 * can use them and one connection reaches them. With `ownSlot` the concern is the hash tag, for keys
 * with much traffic and a separate connection. Different parts never result in the same key: a colon
 * inside a part, as in an IPv6 address, is escaped. A connection has `keyspace` with its prefix.
 *
 * @throws RedisError `bad-option` when the concern is empty or has braces, and so would be no hash tag,
 * when the prefix is malformed, and when a part is no well-formed string of at most 4,096 characters:
 * two different ones would be one key
 */
export function keyspace(
  concern: string,
  options: { ownSlot?: boolean; prefix?: string | undefined } = {},
) {
  if (!isPart(concern) || !CONCERN.test(concern))
    refuse('concern', 'a hash tag: well-formed text without braces')
  if (!isOptions(options)) refuse('options', 'an object')
  const { ownSlot = false, prefix = DEFAULT_PREFIX } = checkOption('options', () => ({
    ...options,
  }))
  if (typeof ownSlot !== 'boolean') refuse('ownSlot', 'true or false')
  if (!isPrefix(prefix)) refuse('prefix', '1 to 64 letters, digits, dots, dashes and underscores')
  const begin = ownSlot ? `${prefix}:{${concern}}` : `${prefix}:{${SHARED_SLOT}}:${concern}`
  return function key(...parts: string[]): string {
    for (const part of parts) {
      if (!isPart(part)) refuse('part', `well-formed text of at most ${MAX_PART} characters`)
    }
    return [begin, ...parts.map(escapePart)].join(':')
  }
}

/** Whether a prefix is valid: without a colon, so that two prefixes never result in one name. */
export function isPrefix(prefix: string): boolean {
  return typeof prefix === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(prefix)
}

function isPart(part: unknown): boolean {
  return typeof part === 'string' && part.length <= MAX_PART && part.isWellFormed()
}

function isOptions(options: unknown): boolean {
  return typeof options === 'object' && options !== null
}

function escapePart(part: string): string {
  return part.replace(/[%:]/g, encodeURIComponent)
}
