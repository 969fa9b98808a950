export type RedisErrorCode = 'unavailable' | 'timeout' | 'rejected'

/**
 * A Redis command that did not succeed.
 * - `unavailable`: nothing was sent (not connected, or the breaker is open).
 * - `timeout`: sent, no answer within the deadline: the outcome is unknown, it may still be executed.
 * - `rejected`: the server answered with an error; it is the `cause`.
 */
export class RedisError extends Error {
  override name = 'RedisError'
  readonly code: RedisErrorCode

  constructor(code: RedisErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Sorts what ioredis throws into the three cases that callers must tell apart. */
export function toRedisError(error: unknown): RedisError {
  if (error instanceof RedisError) return error
  const message = error instanceof Error ? error.message : String(error)
  const options = { cause: error }
  if (error instanceof Error && error.name === 'ReplyError') {
    return new RedisError('rejected', message, options)
  }
  if (message.includes('timed out')) return new RedisError('timeout', message, options)
  if (message.includes("Stream isn't writeable")) {
    return new RedisError('unavailable', 'not connected to Redis', options)
  }
  // The connection was lost with the command on its way: whether it ran is not known.
  if (message.includes('Connection is closed') || message.includes('max retries')) {
    return new RedisError('timeout', message, options)
  }
  return new RedisError('unavailable', message, options)
}
