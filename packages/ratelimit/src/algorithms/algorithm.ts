/**
 * One algorithm as parts of the take scripts. `kind`, `window` and `quota` are those of the group that
 * the count belongs to; `shape` is the beginning of its states. `now` is the server's time in ms.
 * `ring[k]` is the stored state of a count, or false, and `used[k]` is what is charged; it was
 * `was[k]` when it was last added to the state. The name of a count is `KEYS[k + 1]`.
 *
 * A part reads and writes the count `k` by these names alone: `take-script.ts` replaces them by local
 * variables.
 */
export interface AlgorithmLua {
  /** The number of the algorithm in the script. */
  readonly kind: number
  /**
   * Once per group, in the same block as `read`: sets `bucket` and `hit`, if the algorithm has them.
   */
  readonly prepare: string
  /** Sets `used[k]` and `was[k]`. */
  readonly read: string
  /** Adds `amount`, which may be negative, to `used[k]`. */
  readonly charge: string
  /** Sets `wait`, the ms until `cost` may fit; it does not now, and is at most the quota. */
  readonly retry: string
  /** Once per group, in the same block as `finish`. */
  readonly settle: string
  /** Sets `refill` and `reset`, which are 0 before, and stores what was charged. */
  readonly finish: string
}

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
