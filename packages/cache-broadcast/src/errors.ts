import { RedisError } from '@repo/redis'

const OUTAGES = new Set<CacheErrorCode>(['unavailable', 'timeout', 'rejected', 'closed'])

/** The codes of `CacheError`, which describes them. */
export type CacheErrorCode =
  | 'unavailable'
  | 'timeout'
  | 'rejected'
  | 'defect'
  | 'bad-key'
  | 'bad-option'
  | 'unserialisable'
  | 'too-large'
  | 'load-timeout'
  | 'single-instance'
  | 'closed'

/**
 * An error of a bus or a cache.
 * - `unavailable`: Redis is unavailable. Nothing was sent, and nothing changed.
 * - `timeout`: Redis did not reply in time. The change may happen later; repeating the call is safe.
 * - `rejected`: Redis refuses the command (out of memory, no permission); its reply is the `cause`.
 * - `defect`: a script of this package, or its use, is wrong. It is not an outage.
 * - `bad-key`, `bad-option`: the call was refused before it changed anything; the message lists what is
 *   allowed.
 * - `unserialisable`, `too-large`: the value cannot be stored; nothing changed.
 * - `load-timeout`: the loader did not settle within `loadTimeoutMs`.
 * - `single-instance`: the memory driver cannot serve several instances.
 * - `closed`: the bus was closed.
 */
export class CacheError extends Error {
  override name = 'CacheError'
  readonly code: CacheErrorCode

  constructor(code: CacheErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Whether an error means that Redis is unavailable or refuses commands. A defect is no outage. */
export function isCacheOutage(error: unknown): boolean {
  return error instanceof CacheError && OUTAGES.has(error.code)
}

/** Converts a failure of Redis, with its code. Any other error becomes a `defect`. */
export function toCacheError(error: unknown): CacheError {
  if (error instanceof CacheError) return error
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof RedisError ? error.code : 'defect'
  return new CacheError(code, message, { cause: error })
}
