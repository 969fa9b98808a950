/** The time (monotonic ms) until which this process may serve values from memory (I3). */
export interface Lease {
  /** Read by every hit. */
  untilMs: number
  /** The number of times that it began: it had ended, or had not begun, when it was prolonged. */
  lapses: number
  prolong(untilMs: number, nowMs: number): void
  /** Sets the latest time to which it can be prolonged. */
  limit(untilMs: number): void
  end(): void
}

/** A lease that has not begun. `onBegin` runs each time that it begins. */
export function createLease(onBegin: () => void = () => undefined): Lease {
  let limitMs = 0
  return {
    untilMs: 0,
    lapses: 0,
    prolong(untilMs, nowMs) {
      const hasEnded = nowMs >= this.untilMs
      this.untilMs = Math.max(this.untilMs, Math.min(untilMs, limitMs))
      if (!hasEnded || nowMs >= this.untilMs) return
      this.lapses += 1
      onBegin()
    },
    limit(untilMs) {
      limitMs = untilMs
    },
    end() {
      this.untilMs = 0
    },
  }
}
