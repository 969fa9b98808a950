import type { InvalidateOptions } from '../bus-api.ts'
import type { Delivery, DeliveryOptions } from '../link.ts'
import type { Stats } from './stats.ts'

/** Counts since the cache was made, and what is kept now. */
export interface CacheStats extends Stats {
  /** What this process keeps: entries, their estimated bytes, and how many had to go. */
  entries: number
  bytes: number
  evicted: number
}

/** How a value is set. */
export interface SetOptions extends DeliveryOptions {
  /** Instead of the cache's. */
  ttlMs?: number | undefined
}

/**
 * Values of one kind by their key (text of 1 to 512 bytes).
 * @throws CacheError `bad-key` for any other key; from what changes something also `unavailable`,
 * `timeout` (repeating is safe), `rejected`, `closed`
 */
export interface Cache<T> {
  readonly name: string
  /** What this process may serve without asking anyone; undefined also where it knows nothing. */
  peek(key: string): T | undefined
  /**
   * The value, loaded if need be, once for all who wait for it; undefined: the source has nothing.
   * @throws what the loader throws; CacheError `load-timeout`, `unserialisable`, and with
   * `outage: 'fail'` also `unavailable` and `timeout`
   */
  get(key: string): Promise<T | undefined>
  /** `get` of each key, in their order: in one round trip, and of many keys some at a time. */
  getMany(keys: string[]): Promise<(T | undefined)[]>
  /** Stores a value for all instances. @throws CacheError `unserialisable`, `too-large` */
  set(key: string, value: T | undefined, options?: SetOptions): Promise<Delivery>
  /** What was known of the keys is never served again, not even when loading fails. */
  invalidate(keys: string | string[], options?: InvalidateOptions): Promise<Delivery>
  /** Has the keys loaded anew; what was known may bridge that, within `staleMs` and `failSafeMs`. */
  expire(keys: string | string[], options?: DeliveryOptions): Promise<Delivery>
  /** `invalidate` of everything. */
  clear(options?: DeliveryOptions): Promise<Delivery>
  stats(): CacheStats
  /** Keeps nothing and reads nothing any more; what is in Redis stays. */
  close(): void
}
