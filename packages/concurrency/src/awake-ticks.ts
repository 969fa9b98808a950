/** The source of time for deadlines. A test passes another one. */
export interface TickSource {
  /** Runs `tick` every `ms`, and never twice for one pause. Returns a function that stops it. */
  every(ms: number, tick: () => void): () => void
  /** Runs `work` after the event loop has read the data that its sockets received. */
  afterPoll(work: () => void): void
}

/** After a pause, Node runs an interval once, not once for each missed period. */
export const nodeTicks: TickSource = {
  every(ms, tick) {
    const interval = setInterval(tick, ms)
    return () => clearInterval(interval)
  },
  afterPoll(work) {
    setImmediate(work)
  },
}

const LONGEST_TICK_MS = 50

/**
 * The period at which a deadline of `ms` is checked: a tenth of it, at most 50 ms. It is the unit in
 * which awake time is counted: a pause of any length counts as one period.
 */
export function tickMsOf(ms: number): number {
  return Math.min(LONGEST_TICK_MS, Math.max(1, Math.ceil(ms / 10)))
}

/** The number of ticks that take at least `ms` of awake time, also from the middle of a period. */
export function ticksOf(ms: number, tickMs: number): number {
  return Math.ceil(ms / tickMs) + 1
}
