import type { SingleFlight } from '@repo/concurrency'
import type { Clock } from '../clock.ts'
import type { Sink } from '../link.ts'
import type { Read, Tickets } from './fences.ts'
import type { Entry, LocalStore } from './memory-level.ts'
import type { Settings } from './options.ts'

export interface SinkOptions<T> {
  cache: string
  local: LocalStore<T>
  tickets: Tickets
  flights: Pick<SingleFlight<T, void, Read<T>>, 'detach' | 'detachAll'>
  settings: Pick<Settings<T>, 'tags' | 'staleMs' | 'failSafeMs'>
  clock: Clock
}

/** What a cache does about news: forget what is older, fence what is on its way, detach flights. */
export function createSink<T>(options: SinkOptions<T>): Sink {
  const { cache, local, tickets, flights, settings, clock } = options

  function all(n: number) {
    tickets.fenceAll(n)
    flights.detachAll()
  }

  function soften(entries: Iterable<Entry<T>>, bridgeMs: number) {
    const nowMs = Math.floor(clock.exact())
    for (const entry of entries) {
      entry.freshUntilMs = Math.min(entry.freshUntilMs, nowMs)
      entry.staleUntilMs = Math.min(
        entry.staleUntilMs,
        nowMs + Math.floor(Math.min(bridgeMs, settings.staleMs)),
      )
      entry.endsAtMs = Math.min(entry.endsAtMs, nowMs + Math.floor(bridgeMs))
    }
  }

  /** Another release declares tags for this cache: its values here may have had any of them. */
  function dropUntagged(n: number) {
    if (!hasTags) local.clear(n)
  }

  const hasTags = settings.tags !== undefined
  const bridgeMs = settings.staleMs + settings.failSafeMs
  return {
    cache,
    hasTags,
    drop(keys, n) {
      for (const key of keys) {
        tickets.fence(key, n)
        flights.detach(key)
        local.drop(key, n)
      }
    },
    soften(keys, n) {
      for (const key of keys) {
        tickets.fence(key, n)
        flights.detach(key)
      }
      soften(local.olderThan(n, { keys }).values(), bridgeMs)
    },
    dropTags(tags, n, isTagged) {
      // The tags of a value in flight are not read yet: it may have any.
      all(n)
      if (isTagged) dropUntagged(n)
      for (const [key, entry] of local.olderThan(n, { tags })) local.remove(key, entry)
    },
    softenTags(tags, n, isTagged, expireMs = bridgeMs) {
      all(n)
      if (isTagged) dropUntagged(n)
      soften(local.olderThan(n, { tags }).values(), Math.min(expireMs, bridgeMs))
    },
    clear(n) {
      all(n)
      local.clear(n)
    },
  }
}
