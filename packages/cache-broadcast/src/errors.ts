import { RedisError } from '@repo/redis'

/** What went wrong; see `CacheError`. */
export type CacheErrorCode =
  | 'unavailable'
  | 'timeout'
  | 'rejected'
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
 * - `rejected`: Redis answered with an error (out of memory, no permission); it is the `cause`.
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

/** Keeps the three cases of a Redis failure apart; anything else was no answer of Redis. */
export function toCacheError(error: unknown): CacheError {
  if (error instanceof CacheError) return error
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof RedisError ? error.code : 'rejected'
  return new CacheError(code, message, { cause: error })
}
