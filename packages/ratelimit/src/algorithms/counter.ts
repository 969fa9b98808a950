/** One count in memory; times are ms of one clock that never goes back. */
export interface Counter {
  /** What is charged now. */
  used(nowMs: number, quota: number): number
  /** Adds an amount, which may be negative, at the time that `used` was last asked for. */
  charge(nowMs: number, amount: number, lease: string): void
  /** The ms until more and until all of the quota is left; something is used. */
  times(nowMs: number, quota: number): { refillMs: number; resetMs: number }
  /** The ms until a cost may fit that does not now, and is at most the quota. */
  retryMs(nowMs: number, cost: number, quota: number): number
  /** From when on it is as if nothing had been counted. */
  endsAtMs(): number
}
