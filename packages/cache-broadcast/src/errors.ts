import { RedisError } from '@repo/redis'

const OUTAGES = new Set<CacheErrorCode>(['unavailable', 'timeout', 'rejected', 'closed'])

/** What went wrong; see `CacheError`. */
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
 * What a bus or a cache could not do.
 * - `unavailable`: Redis is away and nothing was sent: nothing happened.
 * - `timeout`: sent and not answered in time. It may have happened or may yet; repeating is safe.
 * - `rejected`: Redis answers but does not do the work (out of memory, no permission); its answer is
 *   the `cause`.
 * - `defect`: a script of this package or its use is wrong: no outage.
 * - `bad-key`, `bad-option`: refused before anything was done; the message says what is allowed.
 * - `unserialisable`, `too-large`: the value cannot be stored; nothing was changed.
 * - `load-timeout`: the loader did not settle within `loadTimeoutMs`.
 * - `single-instance`: the memory driver was asked to serve several instances.
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

/** Whether an error means that Redis is unavailable or does not do the work, and is no defect. */
export function isCacheOutage(error: unknown): boolean {
  return error instanceof CacheError && OUTAGES.has(error.code)
}

/** Keeps the cases of a Redis failure apart; anything else did not come from Redis. */
export function toCacheError(error: unknown): CacheError {
  if (error instanceof CacheError) return error
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof RedisError ? error.code : 'defect'
  return new CacheError(code, message, { cause: error })
}
