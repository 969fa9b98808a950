export type RedisErrorCode = 'unavailable' | 'timeout' | 'rejected'

/**
 * A Redis command that did not succeed.
 * - `unavailable`: it was surely not executed (not connected, the breaker is open, or the server
 *   serves nobody or not these keys now).
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

/** What a server says when another one is to be asked, before it runs a command. */
const SOMEBODY_ELSES = /^(READONLY|MOVED|CLUSTERDOWN) /
/** And when it can run none, or not yet: in a slot that is on its way to another node. */
const NOT_NOW = /^(ASK|TRYAGAIN|LOADING|MASTERDOWN) /

/** Whether an answer of the server means that the connection is to one that is the right one no more. */
export const isSomebodyElses = (message: string) => SOMEBODY_ELSES.test(message)

/**
 * Sorts what ioredis throws into the three cases that callers must tell apart. An error that is not
 * ioredis's, such as a caller's TypeError, is returned as it is.
 */
export function toRedisError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof RedisError) return error
  const { name, message } = error
  const options = { cause: error }
  if (name === 'ReplyError') {
    const notRun = SOMEBODY_ELSES.test(message) || NOT_NOW.test(message)
    return new RedisError(notRun ? 'unavailable' : 'rejected', message, options)
  }
  if (message === NOT_SENT) return new RedisError('unavailable', 'not connected to Redis', options)
  return UNKNOWN.test(message) ? new RedisError('timeout', message, options) : error
}
