import type { Bus } from './bus-api.ts'
import { CacheError } from './errors.ts'
import { MAX_LIFE_MS } from './invalidations.ts'

/** What to do about a read when Redis does not answer. */
export type Outage =
  /** Load it, and store it nowhere. */
  | 'bypass'
  /** Serve what this instance still knows, however it was invalidated since; else load it. */
  | 'stale'
  /** Reject with `unavailable` or `timeout`. */
  | 'fail'

/** What a cache needs; see the README for the defaults. */
export interface CacheOptions<T> {
  bus: Bus
  /** Unique on the bus: caches of the same name, on all instances, are one. */
  name: string
  /**
   * Gets a value from its source; undefined: the source has nothing. All readers on all instances get
   * the result of `parse` for its JSON. `signal` is aborted after `loadTimeoutMs`.
   */
  load: (key: string, context: { readonly signal: AbortSignal }) => Promise<T | undefined>
  /** Makes a value of its parsed JSON, for instance a zod schema's `parse`. A stored value that it refuses is loaded again. */
  parse: (stored: unknown) => T
  /** For how long a value is fresh, in ms, ±`jitter`. */
  ttlMs?: number
  /** For how long at most this process asks no one, in ms. */
  localTtlMs?: number
  /** For how long it is remembered that the source has nothing, in ms; 0: not at all. */
  negativeTtlMs?: number
  /** After `ttlMs`, for how long a value is served while it is loaded anew behind, in ms. */
  staleMs?: number
  /** After that, for how long a value is served when loading it fails, in ms. */
  failSafeMs?: number
  /** After a failed load that a value bridged, how long until the next try, in ms. */
  retryAfterMs?: number
  /** Share by which lives are spread, so that what was stored together does not end together. */
  jitter?: number
  /** Invalidated by these too (`bus.invalidateTag`). */
  tags?: (value: T, key: string) => string[]
  /** Entries kept in this process. */
  maxEntries?: number
  /** Memory of this process that entries may take, in bytes, as estimated from their JSON. */
  maxBytes?: number
  /** A larger value (bytes of JSON) is served to those who wait for it, and stored nowhere. */
  maxValueBytes?: number
  loadTimeoutMs?: number
  outage?: Outage
  /** Deep-freezes values before they are shared. */
  freeze?: boolean
}

export type Settings<T> = Required<Omit<CacheOptions<T>, 'tags'>> & Pick<CacheOptions<T>, 'tags'>

/** Fills in the defaults. @throws CacheError `bad-option` */
export function readOptions<T>(options: CacheOptions<T>): Settings<T> {
  const ttlMs = options.ttlMs ?? 600_000
  const settings: Settings<T> = {
    localTtlMs: Math.min(ttlMs, 60_000),
    negativeTtlMs: Math.min(ttlMs, 5_000),
    staleMs: 0,
    failSafeMs: 0,
    retryAfterMs: 1_000,
    jitter: 0.1,
    maxEntries: 10_000,
    maxBytes: 64 * 1_024 * 1_024,
    maxValueBytes: 1_024 * 1_024,
    loadTimeoutMs: 10_000,
    outage: 'bypass',
    freeze: true,
    ...options,
    ttlMs,
  }
  checkLives(settings)
  return settings
}

function checkLives<T>({ ttlMs, staleMs, failSafeMs, negativeTtlMs, ...rest }: Settings<T>) {
  const lives = [staleMs, failSafeMs, negativeTtlMs, rest.localTtlMs, rest.retryAfterMs]
  if (!(ttlMs > 0) || lives.some((ms) => !(ms >= 0))) {
    throw new CacheError('bad-option', 'ttlMs must be above 0, and no other time below')
  }
  if (Math.max(ttlMs, negativeTtlMs) * 1.5 + staleMs + failSafeMs > MAX_LIFE_MS) {
    throw new CacheError('bad-option', 'a value may live for half a day at most')
  }
  if (!(rest.jitter >= 0 && rest.jitter <= 0.5)) {
    throw new CacheError('bad-option', 'jitter must be between 0 and 0.5')
  }
  if (!(rest.maxEntries >= 1 && rest.maxBytes >= 1)) {
    throw new CacheError('bad-option', 'maxEntries and maxBytes must be 1 or more')
  }
}
