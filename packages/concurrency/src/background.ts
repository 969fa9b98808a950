import { requireFunction, requireLog, requireTask } from './errors.ts'

/** A task that fails repeatedly is logged once in this time. */
const LOG_EVERY_MS = 60_000

/** The part of a logger that background work uses, such as a pino logger. */
export interface BackgroundLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

interface Failures {
  count: number
  loggedAtMs: number
}

const failures = new Map<string, Failures>()

/**
 * Starts work for which no caller waits. An error of any kind is counted and logged, at most once a
 * minute for each task. It never becomes an unhandled rejection, so it never ends the process.
 *
 * @param task the name in the log and in the metric, such as `session.touch`
 * @throws ConcurrencyError `bad-option`
 */
export function runInBackground(task: string, work: () => unknown, log?: BackgroundLog): void {
  requireTask(task)
  requireFunction('work', work)
  requireLog(log)
  Promise.try(work).catch((error: unknown) => noteFailure(task, error, log))
}

/** Counts a failure of a background task, and logs it unless it was logged in the last minute. */
export function noteFailure(
  task: string,
  error: unknown,
  log?: BackgroundLog,
  nowMs = performance.now(),
): void {
  requireTask(task)
  requireLog(log)
  const record = failures.get(task) ?? { count: 0, loggedAtMs: Number.NEGATIVE_INFINITY }
  failures.set(task, record)
  record.count += 1
  if (!log || nowMs - record.loggedAtMs < LOG_EVERY_MS) return
  record.loggedAtMs = nowMs
  const fields = { event: 'background.failed', task, failures: record.count, err: error }
  try {
    log.warn(fields, `${task} failed and is repeated or dropped`)
  } catch {
    // The failure is counted. A log that throws must not end the process.
  }
}

/** Resets the interval of the log: the next failure is logged at once. */
export function noteSuccess(task: string, log: BackgroundLog | undefined): void {
  const record = failures.get(task)
  if (record) record.loggedAtMs = Number.NEGATIVE_INFINITY
  log?.info({ event: 'background.recovered', task }, `${task} works again`)
}

/** The failures of each background task since the start of the process. */
export function failuresByTask(): Map<string, number> {
  return new Map(Array.from(failures, ([task, { count }]) => [task, count]))
}
