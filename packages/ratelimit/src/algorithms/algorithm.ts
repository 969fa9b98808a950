/**
 * One algorithm as parts of the take scripts. `kind`, `window` and `quota` are those of the group of a
 * count; each state begins with `shape`. `now` is the time of the server in ms. `ring[k]` is the stored
 * state of a count, or false. `used[k]` is the number of charged units, and `was[k]` the number that
 * the state contains. The key of a count is `KEYS[k + 1]`.
 *
 * A part uses the count `k` by these names alone: `take-script.ts` replaces them by local variables.
 */
export interface AlgorithmLua {
  /** The number of the algorithm in the byte format. */
  readonly kind: number
  /**
   * Runs once per group, in the same block as `read`: sets `bucket` and `hit` if the algorithm has them.
   */
  readonly prepare: string
  /** Sets `used[k]` and `was[k]`. */
  readonly read: string
  /** Adds `amount`, which may be negative, to `used[k]`. */
  readonly charge: string
  /** Sets `wait`, the ms until `cost` may fit. It does not fit now, and is at most the quota. */
  readonly retry: string
  /** Runs once per group, in the same block as `finish`. */
  readonly settle: string
  /** Sets `refill` and `reset`, which are 0 before, and stores the charged units. */
  readonly finish: string
}

/** One count in memory. Times are ms of one clock that never goes back. */
export interface Counter {
  /** The units that are charged now. */
  used(nowMs: number, quota: number): number
  /** Adds an amount, which may be negative, at the time of the last call of `used`. */
  charge(nowMs: number, amount: number, holder: string): void
  /** The ms until more units, and until the whole quota is left. Units are in use. */
  times(nowMs: number, quota: number): { refillMs: number; resetMs: number }
  /** The ms until a cost may fit. It does not fit now, and is at most the quota. */
  retryMs(nowMs: number, cost: number, quota: number): number
  /** The time from which on the count is the same as a new one. */
  endsAtMs(): number
}
