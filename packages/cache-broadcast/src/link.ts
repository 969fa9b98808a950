import type { ConnectionLog } from '@repo/redis'
import type { Clock } from './clock.ts'
import type { Lease } from './lease.ts'

/** How a broadcast ended. */
export type Delivery =
  /** Redis has it: every instance applies it as soon as it hears of it. */
  | { outcome: 'sent'; n: number }
  /**
   * No instance serves anything older any more: each of `acked` applied it; `lapsed` did not answer
   * and have not trusted their memory since; in `failed` a handler threw or hung.
   */
  | {
      outcome: 'everywhere'
      n: number
      acked: string[]
      failed: string[]
      lapsed: string[]
      ms: number
    }

/** How far the sender waits. */
export interface DeliveryOptions {
  /** Resolve only when no instance serves anything older. */
  wait?: 'everywhere' | undefined
}

/** What a cache does about news; n is the number of the entry. */
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

/** What the second level answers to a read. */
export type Reading =
  /** `version` is a number of the log: all entries up to it are older than the value. */
  | { outcome: 'hit'; value: string; nowMs: number }
  /** Nothing valid is there, and this caller is the one to load it. */
  | { outcome: 'claimed'; token: string; version: string; nowMs: number }
  /** Another caller is loading it. */
  | { outcome: 'busy' }
  /** Load it, but store it nowhere. */
  | { outcome: 'held' }

/** Keys of one call of `readMany`: more would occupy Redis for too long. */
export const READS = 64

/** The second level, as a cache sees it. */
export interface Store {
  read(key: string): Promise<Reading>
  /** `read` of at most `READS` keys in one round trip, in their order. */
  readMany(keys: string[]): Promise<Reading[]>
  /** Claims a value that is there but no longer fresh; never answers `hit`. */
  claim(key: string): Promise<Reading>
  /** Whether it was stored: only under a claim that nothing has taken away since. */
  commit(key: string, fill: { token: string; lifeMs: number; value: string }): Promise<boolean>
  extend(claims: { key: string; token: string }[]): Promise<void>
  release(key: string, token: string): Promise<void>
  put(key: string, value: PutValue, options: DeliveryOptions): Promise<Delivery>
  /** A valid value, judged by its own tags and these; claims nothing. */
  peek(key: string, tags: string[]): Promise<{ value: string | undefined; nowMs: number }>
  /** Stores a value that was made without a claim, unless it is invalid or a newer one is there. */
  offer(key: string, fill: { lifeMs: number; value: string }): Promise<boolean>
  expire(keys: string[], bridgeMs: number, options: DeliveryOptions): Promise<Delivery>
}

/** A value without version and age, which the store adds. */
export interface PutValue {
  kind: 'V' | 'T' | 'N'
  rest: string
  freshMs: number
  lifeMs: number
}

/** What `createCache` stands on. */
export interface Link {
  readonly clock: Clock
  readonly lease: Lease
  readonly log: ConnectionLog | undefined
  /** The number of the last entry that this process applied. */
  applied(): number
  /** How long a claim stands unless it is prolonged. */
  readonly claimMs: number
  /** A larger event is refused. */
  readonly maxMessageBytes: number
  store(cache: string, options?: { hasTags?: boolean }): Store
  /**
   * Sends a message that this release cannot apply, as JSON. Each instance that cannot either drops all
   * that it caches, and what Redis caches from before is invalid.
   */
  forward(body: string): Promise<Delivery>
  /** Returns how to detach. */
  attach(sink: Sink): () => void
}
