import { MAX_TIMER_MS, readOptions, requireInteger } from '../options.ts'
import { ActivityTimer, everyMs, readClock, sampleMs } from './activity-timer.ts'

export interface LoadShedder {
  /** Whether a request that arrives now must be refused. Call it once for each request. */
  isOverloaded(): boolean
  /** Returns the number of refused requests. */
  refused(): number
}

export interface LoadShedderOptions {
  /** The delay of the event loop in ms from which requests are refused; 300 by default. */
  limitMs?: number
  /** For tests. */
  now?: () => number
  /** For tests: the processor time of this thread in ms. */
  cpuMs?: () => number
  /** For tests: calls `tick` every `ms`, and returns a function that stops it. */
  every?: (ms: number, tick: () => void) => () => void
}

const starvedFactor = 3

/**
 * Refuses requests while the event loop is late. Under overload each turn of the event loop has more
 * work than the one before, and all requests become slow. The requests of a turn are served until it
 * has taken `limitMs`, and its others are refused at once. So the process remains busy with requests
 * that it completes.
 *
 * One late turn refuses none, because a pause is no overload: the turn before must be late too. A turn
 * in which the thread worked for less than `limitMs` refuses none before three times `limitMs`:
 * other processes had the processor. A process without requests has no timer.
 *
 * @throws ProxyError `bad-option`
 */
export function createLoadShedder(shedderOptions: LoadShedderOptions = {}): LoadShedder {
  const options = readOptions(shedderOptions)
  const { limitMs = 300, now = readClock, cpuMs = readCpu, every = everyMs } = options
  requireInteger('limitMs', limitMs, 1, MAX_TIMER_MS)
  let tickAtMs = 0
  let tickCpuMs = 0
  /** The delay of the last turn that a timer measured. */
  let lastDelayMs = 0
  let refused = 0

  function begin(nowMs: number): void {
    tickAtMs = nowMs
    tickCpuMs = cpuMs()
    lastDelayMs = 0
  }

  function sample(nowMs: number): void {
    lastDelayMs = nowMs - tickAtMs - sampleMs
    tickAtMs = nowMs
    tickCpuMs = cpuMs()
  }

  const timer = new ActivityTimer({ now, every, onStart: begin, onSample: sample })

  return {
    isOverloaded() {
      const nowMs = now()
      if (!timer.use(nowMs)) return false
      const delayMs = nowMs - tickAtMs - sampleMs
      if (lastDelayMs < limitMs / 2 || delayMs < limitMs) return false
      const isStarved = cpuMs() - tickCpuMs < limitMs
      if (isStarved && delayMs < limitMs * starvedFactor) return false
      refused += 1
      return true
    },
    refused: () => refused,
  }
}

function readCpu(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}
