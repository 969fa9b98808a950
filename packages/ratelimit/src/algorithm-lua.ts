/**
 * One algorithm as parts of the take script. The counts of a group are those from `from` to `to`;
 * `kind`, `window` and `quota` are of it, and `shape` is what its states begin with. `now` is the
 * server's time in ms, `ring[k]` is what is stored of a count, or false, and `used[k]` is what is
 * charged; it was `was[k]` when it was last taken into the state.
 */
export interface AlgorithmLua {
  /** How the script names it. */
  readonly kind: number
  /** Sets `used` and `was` of a group's counts, and what is the group's own: `bucket` and `hit`. */
  readonly read: string
  /** Adds `amount`, which may be negative, to `used[k]`. */
  readonly charge: string
  /** Sets `wait`, the ms until `cost` may fit; it does not now, and is at most the quota. */
  readonly retry: string
  /** Answers the refill and the reset ms of a group's counts, and stores what was charged. */
  readonly finish: string
}

/** Answers the `refill` and `reset` of a count, rounded up. */
export const ANSWER_TIMES = /* lua */ `
  out[n + 1], out[n + 2], n = refill + UP, reset + UP, n + 2
`
