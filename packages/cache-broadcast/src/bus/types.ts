import type { ConnectionLog, RedisConnection, Script } from '@repo/redis'
import type { Redis } from 'ioredis'
import type { EventHandler, Subscription } from './handlers.ts'
import type { BusKeys } from './keys.ts'
import type { Clock, Lease } from './lease.ts'
import type { Message } from './message.ts'

/** Options of a bus on Redis; the README lists the defaults. */
export interface BusOptions {
  redis: RedisConnection
  /** All buses of this name on one Redis are one bus. */
  name: string
  /** The id of this instance, unique in the cluster. A `Delivery` contains it. */
  instance: string
  /** How long an instance that is cut off serves values from memory, in ms; equal on all instances. */
  maxStaleMs?: number
  /** How long the claim of a load is valid unless its instance prolongs it, in ms. */
  claimMs?: number
  /** The largest event, at most 1 MiB: an event refers to larger data. */
  maxMessageBytes?: number
  log?: ConnectionLog
}

/** The state of a bus on this instance. */
export interface BusHealth {
  /** The rest of the lease of values in memory, in ms; 0: memory serves nothing. */
  leaseMsLeft: number
  /** Entries of the log that this instance has not applied yet. */
  behind: number
  /** The number of the last applied entry. */
  lastN: number
  /** The number of times that entries were missed, and all values were dropped. */
  resyncs: number
  /** The number of entries that this release could not apply. */
  unknown: number
  /** The number of error replies of Redis to the work of the bus. */
  refused: number
  /** The error reply of Redis, while it refuses some of that work. */
  refusal: string | undefined
}

/** Options of an invalidation. */
export interface InvalidateOptions extends DeliveryOptions {
  /** How long loaded values are not stored, in ms: as long as read replicas of the source may lag. */
  holdMs?: number | undefined
}

/**
 * Sends messages to every instance. Each call ends within the deadline of Redis, and with `wait` within
 * that plus `maxStaleMs` (I9).
 * @throws CacheError `unavailable`, `timeout` (repeating the call is safe), `rejected`, `closed`. Before
 * anything is sent: `bad-key`, `bad-option`, `unserialisable`, or `too-large` for an event over
 * `maxMessageBytes`
 */
export interface Bus {
  readonly name: string
  /** Runs the handlers of the event on every instance, also on this one. `data` is sent as JSON. */
  emit(event: string, data?: unknown, options?: DeliveryOptions): Promise<Delivery>
  /**
   * Calls the handler for each event, in the order of the log. An event that an outbox sends again is
   * received twice. `onResync` is called when events may have been missed.
   * @returns a function that removes the handler
   */
  on(event: string, handler: EventHandler, subscription?: Subscription): () => void
  /** Invalidates keys of a cache. This process may have no cache of this name. */
  invalidate(cache: string, keys: string | string[], options?: InvalidateOptions): Promise<Delivery>
  /** Invalidates all values with one of the tags, in every cache of the bus. */
  invalidateTag(tags: string | string[], options?: DeliveryOptions): Promise<Delivery>
  /** Ends the freshness of all values with one of the tags. They end after at most `expireMs`. */
  expireTag(
    tags: string | string[],
    options?: DeliveryOptions & { expireMs?: number | undefined },
  ): Promise<Delivery>
  /** Invalidates all values of a cache. */
  clear(cache: string, options?: DeliveryOptions): Promise<Delivery>
  health(): BusHealth
  /** Resolves when this instance has joined the bus. @throws CacheError `unavailable` */
  ready(timeoutMs?: number): Promise<void>
  /** Leaves the bus: no barrier waits for this instance any longer. */
  close(): Promise<void>
  /** The interface to the caches on this bus. */
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
interface LinkRedis {
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
  /** The monotonic time in ms at which the connection in use joined the log. Infinity: there is none. */
  joinedAtMs(): number
  /**
   * Renews the lease by a read of the log that is sent after `sinceMs`, a monotonic time. Concurrent calls
   * share one round trip. Resolves to whether memory may serve values then; to false at once without a
   * connection (I11).
   */
  renew(sinceMs: number): Promise<boolean>
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
