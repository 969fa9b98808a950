/** Until when (monotonic ms) this process may trust what it keeps. */
export interface Lease {
  /** Read by every hit. */
  untilMs: number
  prolong(untilMs: number): void
  /** No prolongation reaches beyond this. */
  limit(untilMs: number): void
  end(): void
}

/** A lease that has not begun. */
export function createLease(): Lease {
  let limitMs = 0
  return {
    untilMs: 0,
    prolong(untilMs) {
      this.untilMs = Math.max(this.untilMs, Math.min(untilMs, limitMs))
    },
    limit(untilMs) {
      limitMs = untilMs
    },
    end() {
      this.untilMs = 0
    },
  }
}
