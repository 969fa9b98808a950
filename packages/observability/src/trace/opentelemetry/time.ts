import type { TimeInput } from '@opentelemetry/api'

/** Returns a time of `@opentelemetry/api` as a monotonic time in ms; undefined means now. */
export function monotonicMs(time: TimeInput | undefined): number | undefined {
  if (time === undefined) return undefined
  if (time instanceof Date) return time.getTime() - performance.timeOrigin
  if (typeof time !== 'number') return time[0] * 1e3 + time[1] / 1e6 - performance.timeOrigin
  // A number is a time of `performance.now()`, or of the epoch since 1973.
  return time < 1e11 ? time : time - performance.timeOrigin
}
