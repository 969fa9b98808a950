import type { SingleFlight } from '@repo/concurrency'
import type { Clock } from '../bus/lease.ts'
import type { Sink } from '../bus/types.ts'
import type { Entry, MemoryLevel, Read, Tickets } from './memory-level.ts'
import type { Settings } from './options.ts'

export interface InvalidationSinkOptions<T> {
  cache: string
  memory: MemoryLevel<T>
  tickets: Tickets
  flights: Pick<SingleFlight<T, void, Read<T>>, 'detach' | 'detachAll'>
  settings: Pick<Settings<T>, 'tags' | 'staleMs' | 'failSafeMs'>
  clock: Clock
}

/**
 * Applies the invalidations of the bus to a cache. It drops older values, fences the reads in flight,
 * and detaches their flights so that a later caller starts another read.
 */
export function createInvalidationSink<T>(options: InvalidationSinkOptions<T>): Sink {
  const { cache, memory, tickets, flights, settings, clock } = options
  const hasTags = settings.tags !== undefined
  const bridgeMs = settings.staleMs + settings.failSafeMs

  function fenceAll(n: number) {
    tickets.fenceAll(n)
    flights.detachAll()
  }

  function soften(entries: Iterable<Entry<T>>, maxBridgeMs: number) {
    const nowMs = Math.floor(clock.exact())
    const staleMs = Math.floor(Math.min(maxBridgeMs, settings.staleMs))
    for (const entry of entries) {
      entry.freshUntilMs = Math.min(entry.freshUntilMs, nowMs)
      entry.staleUntilMs = Math.min(entry.staleUntilMs, nowMs + staleMs)
      entry.endsAtMs = Math.min(entry.endsAtMs, nowMs + Math.floor(maxBridgeMs))
    }
  }

  /** Another release declares tags for this cache: a value without tags here may have any there. */
  function dropUntagged(n: number) {
    if (!hasTags) memory.clear(n)
  }

  return {
    cache,
    hasTags,
    drop(keys, n) {
      for (const key of keys) {
        tickets.fence(key, n)
        flights.detach(key)
        memory.drop(key, n)
      }
    },
    soften(keys, n) {
      for (const key of keys) {
        tickets.fence(key, n)
        flights.detach(key)
      }
      soften(memory.olderThan(n, { keys }).values(), bridgeMs)
    },
    dropTags(tags, n, isTagged) {
      // The tags of a value in flight are not read yet: it may have any.
      fenceAll(n)
      if (isTagged) dropUntagged(n)
      for (const [key, entry] of memory.olderThan(n, { tags })) memory.remove(key, entry)
    },
    softenTags(tags, n, isTagged, expireMs = bridgeMs) {
      fenceAll(n)
      if (isTagged) dropUntagged(n)
      soften(memory.olderThan(n, { tags }).values(), Math.min(expireMs, bridgeMs))
    },
    clear(n) {
      fenceAll(n)
      memory.clear(n)
    },
  }
}
