export type RedisErrorCode = 'unavailable' | 'timeout' | 'rejected' | 'defect' | 'bad-option'

/**
 * A Redis command that did not succeed, or an option or argument that cannot be used.
 * - `unavailable`: it was surely not executed (not connected, the breaker is open, or the server
 *   serves nobody or not these keys now).
 * - `timeout`: no answer within the deadline, or the connection broke: the outcome is unknown, it
 *   may have been executed or still be.
 * - `rejected`: the server answers, but does not do the work: it is out of memory, cannot persist, has
 *   too few replicas, is busy, or the user lost a permission. The answer is the `cause`.
 * - `defect`: the command or the script is wrong; the answer is the `cause`.
 * - `bad-option`: an option or an argument cannot be used; the message names it.
 * Every code but the last two is an outage.
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
export const NOT_SENT = "Stream isn't writeable and enableOfflineQueue options is false"
/**
 * What ioredis 6 says of commands that it has written: a late answer, a broken connection (with
 * some answers of the batch read, and with none), a closed one, bytes that are no RESP.
 */
const UNKNOWN =
  /^(Command timed out|Command aborted due to connection close|Reached the max retries per request limit|Connection is closed\.)|Please report this\.$/

/**
 * The answers that show a programming error. Any other answer is a state of the server, so that an
 * answer that a later server adds counts as an outage.
 */
const DEFECT =
  /^(WRONGTYPE|CROSSSLOT|NOSCRIPT|BUSYGROUP|BUSYKEY|NOGROUP) |^ERR (user_script:|error (compiling|running) script|wrong number of arg|syntax error|value is (not|out of range)|(min or max|hash value|weight value|resulting score|timeout) is not |increment or decrement would overflow|invalid expire time|invalid stream id|number of keys|the id specified in xadd|index out of range|offset is out of range|no such key|string exceeds maximum|protocol error|unbalanced|at least 1 input key|unsupported option)/i

/** What a server says when another one is to be asked, before it runs a command. */
const SOMEBODY_ELSES = /^(READONLY|MOVED|CLUSTERDOWN) /
/** And when it can run none, or not yet: in a slot that is on its way to another node. */
const NOT_NOW = /^(ASK|TRYAGAIN|LOADING|MASTERDOWN) /

/** Whether an answer of the server means that the connection is to one that is the right one no more. */
export const isSomebodyElses = (message: string) =>
  typeof message === 'string' && SOMEBODY_ELSES.test(message)

/** Whether an error means that Redis is unavailable or does not do the work, and is no defect. */
export function isRedisOutage(error: unknown): boolean {
  return error instanceof RedisError && error.code !== 'defect' && error.code !== 'bad-option'
}

/** Whether the server sent this answer: it is reachable, whatever the answer is. */
export function isAnswer(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** Whether an error of ioredis is an answer that shows a programming error. */
export function isDefect(error: unknown): boolean {
  const sorted = toRedisError(error)
  return sorted instanceof RedisError && sorted.code === 'defect'
}

/**
 * Sorts what ioredis throws into the cases that callers must tell apart. An error that is not
 * ioredis's, such as a caller's TypeError, is returned as it is.
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
