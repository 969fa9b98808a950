export type RedisErrorCode = 'unavailable' | 'timeout' | 'rejected'

/**
 * A Redis command that did not succeed.
 * - `unavailable`: it was surely not sent (not connected, or the breaker is open).
 * - `timeout`: no answer within the deadline, or the connection broke: the outcome is unknown, it
 *   may have been executed or still be.
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

/** ioredis 6 refuses to write a command. */
const NOT_SENT = "Stream isn't writeable and enableOfflineQueue options is false"
/**
 * What ioredis 6 says of commands that it has written: a late answer, a broken connection (with
 * some answers of the batch read, and with none), a closed one, bytes that are no RESP.
 */
const UNKNOWN =
  /^(Command timed out|Command aborted due to connection close|Reached the max retries per request limit|Connection is closed\.)|Please report this\.$/

/**
 * Sorts what ioredis throws into the three cases that callers must tell apart. An error that is not
 * ioredis's, such as a caller's TypeError, is returned as it is.
 */
export function toRedisError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof RedisError) return error
  const { name, message } = error
  const options = { cause: error }
  if (name === 'ReplyError') return new RedisError('rejected', message, options)
  if (message === NOT_SENT) return new RedisError('unavailable', 'not connected to Redis', options)
  return UNKNOWN.test(message) ? new RedisError('timeout', message, options) : error
}
