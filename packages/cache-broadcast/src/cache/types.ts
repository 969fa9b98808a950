import type { Delivery, DeliveryOptions, InvalidateOptions } from '../bus/types.ts'

/** Counts since the cache was created. */
export interface Stats {
  /** Reads that were served from memory. */
  hits: number
  /** Reads that were served from Redis. */
  storeHits: number
  /** Runs of the loader. */
  loads: number
  /** Runs of the loader that failed. */
  loadFailures: number
  /** Reads that were served a value that was no longer fresh, while it was loaded again. */
  staleHits: number
  /** Reads that were served a value that was no longer fresh, because the load failed. */
  bridged: number
  /** Loaded values that were not stored: invalidated during the load, or Redis failed. */
  refused: number
  /** Loaded values over `maxValueBytes`: served, and not stored. */
  tooLarge: number
  /** Stored values that `parse` refused, or in the format of a later release: loaded again. */
  unreadable: number
  /** Pauses in which a read waited for the load of another instance. */
  waits: number
  /** Reads that Redis did not serve because it was unavailable. */
  outages: number
}

export function createStats(): Stats {
  return {
    hits: 0,
    storeHits: 0,
    loads: 0,
    loadFailures: 0,
    staleHits: 0,
    bridged: 0,
    refused: 0,
    tooLarge: 0,
    unreadable: 0,
    waits: 0,
    outages: 0,
  }
}

/** Counts since the cache was created, and the present size of the memory level. */
export interface CacheStats extends Stats {
  /** Entries in memory. */
  entries: number
  /** The estimated memory of the entries, in bytes. */
  bytes: number
  /** Entries that were removed because the memory level was full. */
  evicted: number
}

/** How a value is set. */
export interface SetOptions extends DeliveryOptions {
  /** Replaces the `ttlMs` of the cache. */
  ttlMs?: number | undefined
}

/**
 * Values of one kind by their key (text of 1 to 512 bytes).
 * @throws CacheError `bad-key` for any other key. A call that changes a value also throws
 * `unavailable`, `timeout` (repeating the call is safe), `rejected` or `closed`
 */
export interface Cache<T> {
  readonly name: string
  /** The fresh value in memory, without a request; undefined: it is not in memory. */
  peek(key: string): T | undefined
  /**
   * The value. If it is in no level, it is loaded once for all callers. Undefined: the source has no
   * value.
   * @throws the error of the loader; CacheError `load-timeout`, `unserialisable`, and with
   * `outage: 'fail'` also `unavailable` and `timeout`
   */
  get(key: string): Promise<T | undefined>
  /** The values of the keys, in their order. Keys are read together, at most 1,024 at a time. */
  getMany(keys: string[]): Promise<(T | undefined)[]>
  /** Stores a value for all instances. @throws CacheError `unserialisable`, `too-large` */
  set(key: string, value: T | undefined, options?: SetOptions): Promise<Delivery>
  /** Drops the values of the keys. They are never served again, even if a load fails. */
  invalidate(keys: string | string[], options?: InvalidateOptions): Promise<Delivery>
  /** Ends the freshness of the keys. The values may be served within `staleMs` and `failSafeMs`. */
  expire(keys: string | string[], options?: DeliveryOptions): Promise<Delivery>
  /** Drops all values of the cache. */
  clear(options?: DeliveryOptions): Promise<Delivery>
  stats(): CacheStats
  /** Empties the memory level and ends all reads; the values in Redis stay. */
  close(): void
}

/** The reply of the second level to a read. */
export type Reading =
  /** A valid value, which may be no longer fresh. */
  | { outcome: 'hit'; value: string; nowMs: number }
  /** No valid value, and this caller must load it. All entries up to `version` are older. */
  | { outcome: 'claimed'; token: string; version: string; nowMs: number }
  /** Another caller is loading it. */
  | { outcome: 'busy' }
  /** This caller must load the value, and must not store it. */
  | { outcome: 'held' }

/** Keys of one call of `readMany`, at most: more would occupy Redis for too long. */
export const READS = 64

/** The second level of a cache. */
export interface Store {
  read(key: string): Promise<Reading>
  /** `read` of at most `READS` keys in one round trip, in their order. */
  readMany(keys: string[]): Promise<Reading[]>
  /** Claims the load of a value that is no longer fresh; the reply is never `hit`. */
  claim(key: string): Promise<Reading>
  /** Stores a value only if its claim is still valid; returns whether it did. */
  commit(key: string, fill: { token: string; lifeMs: number; value: string }): Promise<boolean>
  extend(claims: { key: string; token: string }[]): Promise<void>
  release(key: string, token: string): Promise<void>
  put(key: string, value: PutValue, options: DeliveryOptions): Promise<Delivery>
  /** Reads a value that is valid by its tags and by `tags`. It claims nothing. */
  peek(key: string, tags: string[]): Promise<{ value: string | undefined; nowMs: number }>
  /** Stores a value without a claim, unless it is invalid or Redis has a newer one. */
  offer(key: string, fill: { lifeMs: number; value: string }): Promise<boolean>
  expire(keys: string[], bridgeMs: number, options: DeliveryOptions): Promise<Delivery>
}

/** A value without version and freshness, which the store adds. */
export interface PutValue {
  kind: 'V' | 'T' | 'N'
  rest: string
  freshMs: number
  lifeMs: number
}
