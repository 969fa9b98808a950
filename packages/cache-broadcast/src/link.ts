import type { ConnectionLog } from '@repo/redis'
import type { Clock } from './clock.ts'
import type { Lease } from './lease.ts'

/** The outcome of a message. */
export type Delivery =
  /** Redis has stored the message: each instance applies it when it receives it. */
  | { outcome: 'sent'; n: number }
  /**
   * No instance serves an older value (I1). `acked` have applied the message. `lapsed` have not
   * answered, and their leases have ended. In `failed` a handler threw or hung.
   */
  | {
      outcome: 'everywhere'
      n: number
      acked: string[]
      failed: string[]
      lapsed: string[]
      ms: number
    }

/** Options of a message. */
export interface DeliveryOptions {
  /** Resolve only when no instance serves an older value: a barrier. */
  wait?: 'everywhere' | undefined
}

/** Receives invalidations for one cache; `n` is the number of the entry. */
export interface Sink {
  readonly cache: string
  drop(keys: string[], n: number): void
  soften(keys: string[], n: number): void
  /** Whether its values have tags. */
  readonly hasTags?: boolean
  /** @param isTagged whether a member declares tags for this cache */
  dropTags(tags: string[], n: number, isTagged: boolean): void
  softenTags(tags: string[], n: number, isTagged: boolean, expireMs: number | undefined): void
  clear(n: number): void
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

/** The interface between a bus and the caches on it. */
export interface Link {
  readonly clock: Clock
  readonly lease: Lease
  readonly log: ConnectionLog | undefined
  /** The number of the last entry that this process applied. */
  applied(): number
  /** How long a claim is valid unless it is prolonged, in ms. */
  readonly claimMs: number
  /** The largest event, in bytes. */
  readonly maxMessageBytes: number
  store(cache: string, options?: { hasTags?: boolean }): Store
  /**
   * Sends a message that this release cannot apply, as JSON. An instance that cannot apply it drops all
   * values, and all older values in Redis become invalid.
   */
  forward(body: string): Promise<Delivery>
  /** Returns a function that detaches the cache. */
  attach(sink: Sink): () => void
}
