import { MAX_TIMER_MS, readOptions, requireFunction, requireInteger } from '../options.ts'
import { activeMs, ActivityTimer, everyMs, readClock, sampleMs } from './activity-timer.ts'
import type { LoadShedder } from './load-shedder.ts'

export interface BacklogShedderOptions {
  /** Returns the number of requests that have no response yet. */
  unanswered: () => number
  /** The number of them from which further requests are refused while the event loop is late; 64 by default. */
  most?: number
  /** The mean delay of the event loop in ms from which it is late; 5 by default. */
  lateMs?: number
  /** For tests. */
  now?: () => number
  /** For tests: calls `tick` every `ms`, and returns a function that stops it. */
  every?: (ms: number, tick: () => void) => () => void
}

/** The share of the last delay in the mean. */
const weight = 0.3
/** A backlog that ends sooner is a burst (the interval of CoDel, RFC 8289). */
const standingMs = 200
/** A turn that lasts for this number of late delays is late before the next sample. */
const longTurn = 4

/**
 * Refuses requests for a load balancer that shares its processors with its instances. Some requests in
 * flight keep all instances busy. Under overload, further ones only make each response slow. So
 * requests over `most` are refused at once while the event loop is late.
 *
 * The first refusal follows 200 ms in which each reading was over `most`, so that a burst is served.
 * Later refusals follow at once, until none was needed for a second. Instances that wait for a store
 * need no processor: then the event loop is on time, and no request is refused.
 *
 * @throws ProxyError `bad-option`
 */
export function createBacklogShedder(shedderOptions: BacklogShedderOptions): LoadShedder {
  const options = readOptions(shedderOptions)
  const { unanswered, most = 64, lateMs = 5, now = readClock, every = everyMs } = options
  requireFunction('unanswered', unanswered)
  requireInteger('most', most, 1, 1_000_000)
  requireInteger('lateMs', lateMs, 1, MAX_TIMER_MS)
  let tickAtMs = 0
  let meanDelayMs = 0
  let refused = 0
  let refusedAtMs = -Infinity
  let isOver = false
  let overSinceMs = 0

  function isStanding(nowMs: number): boolean {
    const wasOver = isOver
    isOver = unanswered() >= most
    if (isOver && !wasOver) overSinceMs = nowMs
    return isOver && (nowMs - overSinceMs >= standingMs || nowMs - refusedAtMs < activeMs)
  }

  function begin(nowMs: number): void {
    tickAtMs = nowMs
    meanDelayMs = 0
    isOver = false
  }

  function sample(nowMs: number): void {
    meanDelayMs += weight * (nowMs - tickAtMs - sampleMs - meanDelayMs)
    tickAtMs = nowMs
    isStanding(nowMs)
  }

  const timer = new ActivityTimer({ now, every, onStart: begin, onSample: sample })

  return {
    isOverloaded() {
      const nowMs = now()
      if (!timer.use(nowMs)) return false
      const isLate = meanDelayMs >= lateMs || nowMs - tickAtMs - sampleMs >= lateMs * longTurn
      if (!isStanding(nowMs) || !isLate) return false
      refused += 1
      refusedAtMs = nowMs
      return true
    },
    refused: () => refused,
  }
}
