import type { ConnectionLog, RedisConnection, Script } from '@repo/redis'
import type { Redis } from 'ioredis'
import type { EventHandler, Subscription } from './handlers.ts'
import type { BusKeys } from './keys.ts'
import type { Clock, Lease } from './lease.ts'
import type { Message } from './message.ts'

/** What a bus on Redis needs; see the README for the defaults. */
export interface BusOptions {
  redis: RedisConnection
  /** All buses of this name on this Redis are one. */
  name: string
  /** This instance's id, unique in the cluster: how it is named in a `Delivery`. */
  instance: string
  /** How long an instance that is cut off trusts what it keeps, in ms; the same on all instances. */
  maxStaleMs?: number
  /** How long a load may be thought to run when its instance says nothing, in ms. */
  claimMs?: number
  /** A larger message is refused, 1 MiB at most: large data goes by reference. */
  maxMessageBytes?: number
  log?: ConnectionLog
}

/** How well this instance hears the bus. */
export interface BusHealth {
  /** How long what is kept may still be trusted if nothing more is heard; 0 when it is not. */
  leaseMsLeft: number
  /** Entries of the log that are known to be there and not applied yet. */
  behind: number
  /** The number of the last entry applied. */
  lastN: number
  /** How often entries were missed, and all that was kept was dropped. */
  resyncs: number
  /** The number of entries that this release could not apply. */
  unknown: number
  /** The number of error answers of Redis to the work of the bus. */
  refused: number
  /** What Redis answers, as long as it refuses some of that work. */
  refusal: string | undefined
}

/** How far an invalidation goes. */
export interface InvalidateOptions extends DeliveryOptions {
  /** For so long loads are stored nowhere: as long as read replicas of the source may lag. */
  holdMs?: number | undefined
}

/**
 * Reaches every instance. Each call ends within Redis's deadline, and with `wait` within that and
 * `maxStaleMs`.
 * @throws CacheError `unavailable`, `timeout` (repeating is safe), `rejected`, `closed`; before anything
 * is sent `bad-key`, `bad-option`, `unserialisable`, or `too-large` for more than `maxMessageBytes`
 */
export interface Bus {
  readonly name: string
  /** Runs the handlers of the event on every instance, this one included. `data` travels as JSON. */
  emit(event: string, data?: unknown, options?: DeliveryOptions): Promise<Delivery>
  /**
   * Calls the handler for each event, in the order of the log; returns how to stop. Events that
   * are sent again by an outbox come twice. `onResync` is called when events may have been missed.
   */
  on(event: string, handler: EventHandler, subscription?: Subscription): () => void
  /** Invalidates keys of a cache that this process need not have. */
  invalidate(cache: string, keys: string | string[], options?: InvalidateOptions): Promise<Delivery>
  /** Invalidates what has one of the tags, in every cache of the bus. */
  invalidateTag(tags: string | string[], options?: DeliveryOptions): Promise<Delivery>
  /** Ends the freshness of what has one of the tags; it may bridge the refresh, at most `expireMs`. */
  expireTag(
    tags: string | string[],
    options?: DeliveryOptions & { expireMs?: number | undefined },
  ): Promise<Delivery>
  /** Invalidates all of a cache. */
  clear(cache: string, options?: DeliveryOptions): Promise<Delivery>
  health(): BusHealth
  /** Waits until joined. @throws CacheError `unavailable` */
  ready(timeoutMs?: number): Promise<void>
  /** Leaves in good order: nobody waits for this instance any more. */
  close(): Promise<void>
  /** What `createCache` stands on. */
  readonly link: Link
}

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

/** A message, and the script that appends it to the log and changes Redis in the same step. */
export interface Publication {
  script: Script
  message: Message
  /** The message as JSON, if the caller has it already. */
  body?: string
  /** Further keys of the script. */
  keys?: string[]
  /** Further arguments of the script. */
  args?: (string | number)[]
  wait: DeliveryOptions['wait']
}

export type Publish = (publication: Publication) => Promise<Delivery>

/** The part of Redis that caches on a bus use. */
export interface LinkRedis {
  readonly keys: BusKeys
  /** Runs commands on the connection of the bus, with the errors of this package. */
  call<T>(command: (client: Redis) => Promise<T>): Promise<T>
  /** Lists the caches that declare tags; undefined: they are listed. */
  ensureListed(): Promise<void> | undefined
  /** Joins the bus again: Redis replied as if it had lost entries of the log. */
  rejoin(): void
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
  /** Publishes a message. A driver without Redis runs no script. */
  readonly publish: Publish
  /** Undefined: the driver has no Redis, and caches have only the memory level. */
  readonly redis: LinkRedis | undefined
  /**
   * Sends a message that this release cannot apply, as JSON. An instance that cannot apply it drops all
   * values, and all older values in Redis become invalid.
   */
  forward(body: string): Promise<Delivery>
  /** Returns a function that detaches the cache. */
  attach(sink: Sink): () => void
}
