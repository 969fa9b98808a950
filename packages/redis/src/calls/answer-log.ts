import { requireMethods } from '../bad-option.ts'
import { isDefect } from '../errors.ts'

/** The methods of a logger that a connection uses, such as one of pino. */
export interface ConnectionLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error?(fields: object, message: string): void
}

/** The time in which an equal reply is logged once. */
const QUIET_MS = 60_000
/** The limit of different replies in memory: their text can contain names of keys. */
const MAX_ANSWERS = 100

/**
 * Returns a function that logs error replies of a server: a defect as an error, another one as a
 * warning. A server that refuses each command causes one line a minute, not one for each request.
 */
export function createAnswerLog(log: ConnectionLog | undefined) {
  if (log !== undefined) requireMethods('log', log, ['info', 'warn'])
  const loggedAtMs = new Map<string, number>()

  return function logAnswer(error: Error): void {
    if (!log || !(error instanceof Error)) return
    const reason = error.message.split('\n', 1)[0] ?? ''
    const nowMs = performance.now()
    const beforeMs = loggedAtMs.get(reason)
    if (beforeMs !== undefined && nowMs - beforeMs < QUIET_MS) return
    if (loggedAtMs.size >= MAX_ANSWERS) loggedAtMs.clear()
    loggedAtMs.set(reason, nowMs)
    if (isDefect(error)) {
      const fields = { event: 'redis.defect', err: error }
      const message = `a Redis command is wrong: ${reason}`
      if (log.error) log.error(fields, message)
      else log.warn(fields, message)
    } else {
      log.warn({ event: 'redis.refused', reason }, `Redis refuses commands: ${reason}`)
    }
  }
}
