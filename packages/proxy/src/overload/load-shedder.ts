import { MAX_TIMER_MS, readOptions, requireInteger } from '../options.ts'

export interface LoadShedder {
  /** Whether a request that arrives now must be refused. Call it once for each request. */
  isOverloaded(): boolean
  /** Returns the number of refused requests. */
  refused(): number
}

export interface LoadShedderOptions {
  /** The delay of the event loop in ms from which requests are refused; 200 by default. */
  limitMs?: number
  /** For tests. */
  now?: () => number
  /** For tests: calls `tick` every `ms`, and returns a function that stops it. */
  every?: (ms: number, tick: () => void) => () => void
}

const sampleMs = 20
const activeMs = 1_000

/**
 * Refuses requests while the event loop is late. Under overload each turn of the event loop has more
 * work than the one before, and all requests become slow. The requests of a turn are served until it
 * has taken `limitMs`, and its others are refused at once. So the process remains busy with requests
 * that it completes.
 *
 * One late turn refuses none, because a pause is no overload: the turn before must be late too. A
 * process without requests has no timer.
 *
 * @throws ProxyError `bad-option`
 */
export function createLoadShedder(shedderOptions: LoadShedderOptions = {}): LoadShedder {
  const { limitMs = 200, now = readClock, every = everyMs } = readOptions(shedderOptions)
  requireInteger('limitMs', limitMs, 1, MAX_TIMER_MS)
  let stop: (() => void) | undefined
  let tickAtMs = 0
  let requestAtMs = 0
  /** The delay of the last turn that a timer measured. */
  let lastDelayMs = 0
  let refused = 0

  function tick(): void {
    const nowMs = now()
    lastDelayMs = nowMs - tickAtMs - sampleMs
    tickAtMs = nowMs
    if (nowMs - requestAtMs < activeMs) return
    stop?.()
    stop = undefined
  }

  return {
    isOverloaded() {
      const nowMs = now()
      requestAtMs = nowMs
      if (!stop) {
        stop = every(sampleMs, tick)
        tickAtMs = nowMs
        lastDelayMs = 0
        return false
      }
      if (lastDelayMs < limitMs / 2 || nowMs - tickAtMs - sampleMs < limitMs) return false
      refused += 1
      return true
    },
    refused: () => refused,
  }
}

const readClock = () => performance.now()

function everyMs(ms: number, tick: () => void): () => void {
  const timer = setInterval(tick, ms).unref()
  return () => clearInterval(timer)
}
