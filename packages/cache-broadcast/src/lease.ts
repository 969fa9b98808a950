/** Until when (monotonic ms) this process may trust what it keeps. */
export interface Lease {
  /** Read by every hit. */
  untilMs: number
  /** How often it was over, or not begun, before it was prolonged. */
  lapses: number
  prolong(untilMs: number, nowMs: number): void
  /** No prolongation reaches beyond this. */
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
      const over = nowMs >= this.untilMs
      this.untilMs = Math.max(this.untilMs, Math.min(untilMs, limitMs))
      if (!over || nowMs >= this.untilMs) return
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
