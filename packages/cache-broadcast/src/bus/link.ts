import type { ConnectionLog, Script } from '@repo/redis'
import type { Redis } from 'ioredis'
import type { Clock } from './clock.ts'
import type { BusKeys } from './keys.ts'
import type { Lease } from './lease.ts'
import type { Message } from './message.ts'

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
