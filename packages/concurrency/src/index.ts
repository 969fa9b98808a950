export { type AwakeClock, type AwakeClockOptions, createAwakeClock } from './awake-clock.ts'
export { setAwakeTimeout, withAwakeDeadline } from './awake-timeout.ts'
export type { TickSource } from './awake-ticks.ts'
export { type BackgroundLog, failuresByTask, noteFailure, runInBackground } from './background.ts'
export { type BatchQueue, type BatchQueueOptions, createBatch, createBatchQueue } from './batch.ts'
export { type BulkheadOptions, createBulkhead } from './bulkhead.ts'
export {
  createDeadlines,
  type Deadline,
  type DeadlineOptions,
  type Deadlines,
} from './deadlines.ts'
export { ConcurrencyError, type ConcurrencyErrorCode } from './errors.ts'
export { type Member, Members } from './members/members.ts'
export { createPace, type Pace, type PacedWork } from './pace.ts'
export {
  createRenewedLeases,
  type RenewedLeases,
  type RenewedLeasesOptions,
} from './renewed-leases.ts'
export { repeat, type Repeated, type RepeatOptions } from './repeat.ts'
export { retryInBackground, type RetryOptions } from './retry.ts'
export {
  createFlight,
  createSingleFlight,
  type Flight,
  type SingleFlight,
  type SingleFlightOptions,
} from './single-flight.ts'
export { createTwoGenerationMap, type TwoGenerationMap } from './two-generation-map.ts'
