export type RedisErrorCode = 'unavailable' | 'timeout' | 'rejected' | 'defect' | 'bad-option'

/**
 * A Redis command that failed, or an option or argument that is invalid.
 * - `unavailable`: the command was not executed: there is no connection, the breaker is open, or the
 *   server currently serves no request or not these keys.
 * - `timeout`: no reply within the deadline, or the connection broke. The outcome is unknown: the
 *   command may have been executed, or may be executed later.
 * - `rejected`: the server refused the command: it is out of memory, cannot persist, has too few
 *   replicas, is busy, or the user lost a permission. The reply is the `cause`.
 * - `defect`: the command or the script is wrong. The reply is the `cause`.
 * - `bad-option`: an option or an argument is invalid. The message names it.
 * Every code except the last two is an outage.
 */
export class RedisError extends Error {
  override name = 'RedisError'
  readonly code: RedisErrorCode

  constructor(code: RedisErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The message of ioredis 6 when it refuses to write a command. */
export const NOT_SENT = "Stream isn't writeable and enableOfflineQueue options is false"
/**
 * Messages of ioredis 6 for commands that it has written: a late reply, a broken connection (after
 * some replies of the batch, or none), a closed connection, bytes that are no RESP.
 */
const UNKNOWN =
  /^(Command timed out|Command aborted due to connection close|Reached the max retries per request limit|Connection is closed\.)|Please report this\.$/

/**
 * Replies that prove a programming error. Any other error reply is a state of the server, so a reply
 * that a later server adds is an outage.
 */
const DEFECT =
  /^(WRONGTYPE|CROSSSLOT|NOSCRIPT|BUSYGROUP|BUSYKEY|NOGROUP) |^ERR (user_script:|error (compiling|running) script|wrong number of arg|syntax error|value is (not|out of range)|(min or max|hash value|weight value|resulting score|timeout) is not |increment or decrement would overflow|invalid expire time|invalid stream id|number of keys|the id specified in xadd|index out of range|offset is out of range|no such key|string exceeds maximum|protocol error|unbalanced|at least 1 input key|unsupported option)/i

/** Replies before a command runs, when another server is responsible. */
const SOMEBODY_ELSES = /^(READONLY|MOVED|CLUSTERDOWN) /
/** Replies when a server runs no command, or not yet: its slot is being moved to another node. */
const NOT_NOW = /^(ASK|TRYAGAIN|LOADING|MASTERDOWN) /

/** Whether a reply means that the connection leads to a server that is no longer responsible. */
export const isSomebodyElses = (message: string) =>
  typeof message === 'string' && SOMEBODY_ELSES.test(message)

/** Whether an error means that Redis is unavailable or refuses the command, and is no defect. */
export function isRedisOutage(error: unknown): boolean {
  return error instanceof RedisError && error.code !== 'defect' && error.code !== 'bad-option'
}

/** Whether an error is a reply of the server, so the server is reachable. */
export function isAnswer(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** Whether an error of ioredis is a reply that proves a programming error. */
export function isDefect(error: unknown): boolean {
  const sorted = toRedisError(error)
  return sorted instanceof RedisError && sorted.code === 'defect'
}

/**
 * Converts an error of ioredis to a RedisError. Another error, such as a TypeError of the caller, is
 * returned unchanged.
 */
export function toRedisError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof RedisError) return error
  const { name, message } = error
  const options = { cause: error }
  if (name === 'ReplyError') {
    const notRun = SOMEBODY_ELSES.test(message) || NOT_NOW.test(message)
    const answered = DEFECT.test(message) ? 'defect' : 'rejected'
    return new RedisError(notRun ? 'unavailable' : answered, message, options)
  }
  // A system error of the socket, such as ECONNRESET.
  if ('syscall' in error) return new RedisError('timeout', message, options)
  if (message === NOT_SENT) return new RedisError('unavailable', 'not connected to Redis', options)
  return UNKNOWN.test(message) ? new RedisError('timeout', message, options) : error
}
