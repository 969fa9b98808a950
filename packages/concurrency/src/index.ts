export { type AwakeClock, type AwakeClockOptions, createAwakeClock } from './awake-clock.ts'
export { setAwakeTimeout, withAwakeDeadline } from './awake-timeout.ts'
export type { TickSource } from './awake-ticks.ts'
export { type BackgroundLog, failuresByTask, noteFailure, runInBackground } from './background.ts'
export {
  createDeadlines,
  type Deadline,
  type DeadlineOptions,
  type Deadlines,
} from './deadlines.ts'
export { ConcurrencyError, type ConcurrencyErrorCode } from './errors.ts'
export { repeat, type Repeated, type RepeatOptions } from './repeat.ts'
export { retryInBackground, type RetryOptions } from './retry.ts'
