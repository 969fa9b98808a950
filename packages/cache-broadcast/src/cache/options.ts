import type { Bus } from '../bus-api.ts'
import { checkFunction, checkMethods, checkWhole } from '../bus-input.ts'
import { CacheError } from '../errors.ts'
import { MAX_LIFE_MS } from '../invalidations.ts'
import { checkName } from '../names.ts'

/** A Map has no more. */
export const MOST_ENTRIES = 2 ** 24
const MOST_VALUE_BYTES = 64 * 1_024 * 1_024

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

/** Reads each option once, fills in the defaults and checks all. @throws CacheError `bad-option` */
export function readCacheOptions<T>(options: CacheOptions<T>): Settings<T> {
  const given = copyOf(options)
  const { ttlMs = 600_000 } = given
  checkWhole('ttlMs', ttlMs, 1, MAX_LIFE_MS)
  const {
    localTtlMs = Math.min(ttlMs, 60_000),
    negativeTtlMs = Math.min(ttlMs, 5_000),
    staleMs = 0,
    failSafeMs = 0,
    retryAfterMs = 1_000,
    jitter = 0.1,
    maxEntries = 10_000,
    maxBytes = 64 * 1_024 * 1_024,
    maxValueBytes = 1_024 * 1_024,
    loadTimeoutMs = 10_000,
    outage = 'bypass',
    freeze = true,
  } = given
  const lives = { ttlMs, localTtlMs, negativeTtlMs, staleMs, failSafeMs, retryAfterMs }
  const limits = { maxEntries, maxBytes, maxValueBytes, loadTimeoutMs }
  const settings = { ...given, ...lives, ...limits, jitter, outage, freeze }
  checkWays(settings)
  checkNumbers(settings)
  return settings
}

function copyOf<T>(options: CacheOptions<T>): CacheOptions<T> {
  try {
    return { ...options }
  } catch (cause) {
    throw new CacheError('bad-option', 'the options of createCache cannot be read', { cause })
  }
}

function checkWays<T>({ bus, name, load, parse, tags, outage, freeze }: Settings<T>) {
  checkName('cache', name)
  checkMethods('bus', bus, ['invalidate', 'clear'])
  checkFunction('load', load)
  checkFunction('parse', parse)
  if (tags !== undefined) checkFunction('tags', tags)
  if (!['bypass', 'stale', 'fail'].includes(outage)) {
    throw new CacheError('bad-option', "outage must be 'bypass', 'stale' or 'fail'")
  }
  if (typeof freeze !== 'boolean') throw new CacheError('bad-option', 'freeze must be a boolean')
}

function checkNumbers<T>({ jitter, ...settings }: Settings<T>) {
  const { localTtlMs, negativeTtlMs, staleMs, failSafeMs, retryAfterMs } = settings
  const lives = { localTtlMs, negativeTtlMs, staleMs, failSafeMs, retryAfterMs }
  for (const [option, ms] of Object.entries(lives)) checkWhole(option, ms, 0, MAX_LIFE_MS)
  if (Math.max(settings.ttlMs, negativeTtlMs) * 1.5 + staleMs + failSafeMs > MAX_LIFE_MS) {
    const options = 'ttlMs, negativeTtlMs, staleMs and failSafeMs'
    throw new CacheError('bad-option', `${options}: a value may live for half a day at most`)
  }
  if (typeof jitter !== 'number' || !(jitter >= 0 && jitter <= 0.5)) {
    throw new CacheError('bad-option', 'jitter must be a number from 0 to 0.5')
  }
  checkWhole('maxEntries', settings.maxEntries, 1, MOST_ENTRIES)
  checkWhole('maxBytes', settings.maxBytes, 1, Number.MAX_SAFE_INTEGER)
  checkWhole('maxValueBytes', settings.maxValueBytes, 1, MOST_VALUE_BYTES)
  checkWhole('loadTimeoutMs', settings.loadTimeoutMs, 1, MAX_LIFE_MS)
}
