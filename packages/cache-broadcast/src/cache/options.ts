import { MAX_LIFE_MS } from '../bus/invalidations.ts'
import type { Bus } from '../bus/types.ts'
import { CacheError } from '../errors.ts'
import { checkFunction, checkMethods, checkName, checkWhole } from '../input.ts'

/** A Map cannot hold more entries. */
export const MAX_ENTRIES = 2 ** 24
const MAX_VALUE_BYTES = 64 * 1_024 * 1_024

/** The outcome of a read when Redis is unavailable. */
export type Outage =
  /** Load the value, and do not store it. */
  | 'bypass'
  /** Serve the value in memory, even if it was invalidated since; otherwise load it. */
  | 'stale'
  /** Reject with `unavailable` or `timeout`. */
  | 'fail'

/** Options of a cache; the README lists the defaults. */
export interface CacheOptions<T> {
  bus: Bus
  /** Unique on the bus: caches of the same name, on all instances, are one cache. */
  name: string
  /**
   * Gets a value from its source; undefined: the source has no value. All readers on all instances
   * receive the result of `parse` for its JSON. `signal` is aborted after `loadTimeoutMs`.
   */
  load: (key: string, context: { readonly signal: AbortSignal }) => Promise<T | undefined>
  /**
   * Converts the parsed JSON of a value to the value, such as the `parse` of a zod schema. A stored
   * value that it refuses is loaded again.
   */
  parse: (stored: unknown) => T
  /** How long a value is fresh, in ms, ±`jitter`. */
  ttlMs?: number
  /** How long a value is served from memory before Redis is read again, in ms. */
  localTtlMs?: number
  /** How long the absence of a value is cached, in ms; 0: it is not cached. */
  negativeTtlMs?: number
  /** How long a value is served after `ttlMs` while it is loaded in the background, in ms. */
  staleMs?: number
  /** How long a value is served after that when its load fails, in ms. */
  failSafeMs?: number
  /** The time from a failed load to the next attempt, while a value is served instead, in ms. */
  retryAfterMs?: number
  /** Share by which times to live vary, so that values stored together do not end together. */
  jitter?: number
  /** The tags of a value: `bus.invalidateTag` invalidates the value by each of them. */
  tags?: (value: T, key: string) => string[]
  /** Entries in the memory of this process, at most. */
  maxEntries?: number
  /** Memory of this process for entries, in bytes, as estimated from their JSON. */
  maxBytes?: number
  /** A larger value (bytes of JSON) is served to the callers that wait for it, and not stored. */
  maxValueBytes?: number
  loadTimeoutMs?: number
  outage?: Outage
  /** Deep-freezes values before callers share them. */
  freeze?: boolean
}

export type Settings<T> = Required<Omit<CacheOptions<T>, 'tags'>> & Pick<CacheOptions<T>, 'tags'>

/** Reads each option once, adds the defaults and checks all options. @throws CacheError `bad-option` */
export function readCacheOptions<T>(options: CacheOptions<T>): Settings<T> {
  const chosen = copyOf(options)
  const { ttlMs = 600_000 } = chosen
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
  } = chosen
  const times = { ttlMs, localTtlMs, negativeTtlMs, staleMs, failSafeMs, retryAfterMs }
  const limits = { maxEntries, maxBytes, maxValueBytes, loadTimeoutMs }
  const settings = { ...chosen, ...times, ...limits, jitter, outage, freeze }
  checkBehaviour(settings)
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

function checkBehaviour<T>({ bus, name, load, parse, tags, outage, freeze }: Settings<T>) {
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
  const times = { localTtlMs, negativeTtlMs, staleMs, failSafeMs, retryAfterMs }
  for (const [option, ms] of Object.entries(times)) checkWhole(option, ms, 0, MAX_LIFE_MS)
  if (Math.max(settings.ttlMs, negativeTtlMs) * 1.5 + staleMs + failSafeMs > MAX_LIFE_MS) {
    const sum = '1.5 times the larger of ttlMs and negativeTtlMs, plus staleMs and failSafeMs'
    throw new CacheError('bad-option', `${sum}, must be at most ${MAX_LIFE_MS} ms`)
  }
  if (typeof jitter !== 'number' || !(jitter >= 0 && jitter <= 0.5)) {
    throw new CacheError('bad-option', 'jitter must be a number from 0 to 0.5')
  }
  checkWhole('maxEntries', settings.maxEntries, 1, MAX_ENTRIES)
  checkWhole('maxBytes', settings.maxBytes, 1, Number.MAX_SAFE_INTEGER)
  checkWhole('maxValueBytes', settings.maxValueBytes, 1, MAX_VALUE_BYTES)
  checkWhole('loadTimeoutMs', settings.loadTimeoutMs, 1, MAX_LIFE_MS)
}
