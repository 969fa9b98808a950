import { nodeTicks, tickMsOf, type TickSource } from './awake-ticks.ts'
import { runInBackground } from './background.ts'
import { readOptions, requireFunction, requireMs } from './errors.ts'

export interface AwakeClock {
  /** The period in ms, and the most by which `now` may be late. */
  readonly tickMs: number
  /** The time in ms in which our event loop ran while the clock ran. Use it for differences only. */
  now(): number
  /** Starts the clock unless it already runs. */
  start(): void
  stop(): void
}

export interface AwakeClockOptions {
  /** The shortest time that is measured, in ms: the period is a tenth of it, at most 50 ms. */
  ms: number
  /** Runs after each period, after the event loop has read its sockets. */
  onTick: () => void
  /** For tests. */
  ticks?: TickSource
}

/**
 * A clock of awake time, for deadlines that `createDeadlines` does not cover, such as a deadline that
 * the reply to another call prolongs. A pause of the process counts as one period.
 *
 * @throws ConcurrencyError `bad-option`
 */
export function createAwakeClock(options: AwakeClockOptions): AwakeClock {
  const { ms, onTick, ticks = nodeTicks } = readOptions(options)
  requireMs('ms', ms)
  requireFunction('onTick', onTick)
  const tickMs = tickMsOf(ms)
  let nowMs = 0
  let stopTicks: (() => void) | undefined

  function tick(): void {
    nowMs += tickMs
    ticks.afterPoll(() => runInBackground('deadlines', onTick))
  }

  return {
    tickMs,
    now: () => nowMs,
    start() {
      stopTicks ??= ticks.every(tickMs, tick)
    },
    stop() {
      stopTicks?.()
      stopTicks = undefined
    },
  }
}
