/**
 * One algorithm as parts of the take script. In each, `k` is the index of a key, `limit` is its limit
 * (`kind`, `window` and `quota` are of it, and `limit.shape` is what its states begin with), `now` is
 * the server's time in ms, and `used[k]` is what is charged.
 */
export interface AlgorithmLua {
  /** How the script names it. */
  readonly kind: number
  /** Sets `used[k]` from `value`, what is stored, or false. */
  readonly read: string
  /** Adds `amount`, which may be negative. */
  readonly charge: string
  /** Sets `refill` and `reset`, the ms until more and until all of the quota is left. */
  readonly times: string
  /** Sets `wait`, the ms until `cost` may fit; it does not now, and is at most the quota. */
  readonly retry: string
  /** Stores what was charged. */
  readonly write: string
}
