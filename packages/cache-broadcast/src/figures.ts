import type { Bus } from './bus-api.ts'
import type { Cache } from './cache-api.ts'

/** A number for Prometheus; `metrics.observe` of `@repo/service` takes it. */
export interface Figure {
  name: string
  help: string
  kind: 'counter' | 'gauge'
  labels?: Record<string, string>
  read: () => number
}

/** How well this instance hears the bus. Alert when the lease is 0 for longer than a few seconds. */
export function busFigures(bus: Bus): Figure[] {
  const labels = { bus: bus.name }
  return [
    {
      name: 'threefold_bus_lease_seconds',
      help: 'How long what is kept in memory may still be trusted; 0: it is not',
      kind: 'gauge',
      labels,
      read: () => bus.health().leaseMsLeft / 1_000,
    },
    {
      name: 'threefold_bus_behind_entries',
      help: 'Entries of the log that are known to be there and not applied yet',
      kind: 'gauge',
      labels,
      read: () => bus.health().behind,
    },
    {
      name: 'threefold_bus_resyncs_total',
      help: 'How often entries were missed and all that was kept was dropped',
      kind: 'counter',
      labels,
      read: () => bus.health().resyncs,
    },
    {
      name: 'threefold_bus_unknown_entries_total',
      help: 'Entries of another release that this one could not apply',
      kind: 'counter',
      labels,
      read: () => bus.health().unknown,
    },
    {
      name: 'threefold_bus_refused_total',
      help: 'Error answers of Redis to the work of the bus',
      kind: 'counter',
      labels,
      read: () => bus.health().refused,
    },
  ]
}

/** What a cache did since it was made, and what it keeps. */
export function cacheFigures(cache: Pick<Cache<unknown>, 'name' | 'stats'>): Figure[] {
  const count = (name: string, help: string, read: () => number): Figure => ({
    name: `threefold_cache_${name}_total`,
    help,
    kind: 'counter',
    labels: { cache: cache.name },
    read,
  })
  const keeps = (name: string, help: string, read: () => number): Figure => ({
    name: `threefold_cache_${name}`,
    help,
    kind: 'gauge',
    labels: { cache: cache.name },
    read,
  })
  return [
    count('hits', 'Served from memory', () => cache.stats().hits),
    count('store_hits', 'Served from Redis', () => cache.stats().storeHits),
    count('loads', 'Runs of the loader', () => cache.stats().loads),
    count('load_failures', 'Runs of the loader that failed', () => cache.stats().loadFailures),
    count('outages', 'Reads that found Redis away', () => cache.stats().outages),
    count('unreadable', 'Stored values that parse refused', () => cache.stats().unreadable),
    count('too_large', 'Loaded values over maxValueBytes', () => cache.stats().tooLarge),
    count('not_stored', 'Loaded values that were not stored', () => cache.stats().refused),
    count('evictions', 'Entries that had to make room', () => cache.stats().evicted),
    keeps('entries', 'Entries in memory', () => cache.stats().entries),
    keeps('bytes', 'Estimated memory of the entries', () => cache.stats().bytes),
  ]
}
