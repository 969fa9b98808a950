export { type BackgroundLog, failuresByTask, noteFailure, runInBackground } from './background.ts'
export { repeat, type Repeated, type RepeatOptions } from './repeat.ts'
export { retryInBackground, type RetryOptions } from './retry.ts'
