import { setTimeout as pause } from 'node:timers/promises'
import type { Bus } from './bus/types.ts'
import type { Cache } from './cache/types.ts'
import { CacheError } from './errors.ts'

/** The state of a bus, for Prometheus. Alert when the lease is 0 for longer than a few seconds. */
export function busFigures(bus: Bus) {
  const { counter, gauge } = createFigures('bus', { bus: bus.name })
  return [
    gauge(
      'lease_seconds',
      'How long entries in memory may still be used; 0: they are not used',
      () => bus.health().leaseMsLeft / 1_000,
    ),
    gauge(
      'behind_entries',
      'Entries of the log that exist and are not applied yet',
      () => bus.health().behind,
    ),
    counter(
      'resyncs',
      'How often entries of the log were missed and the memory was cleared',
      () => bus.health().resyncs,
    ),
    counter(
      'unknown_entries',
      'Entries of another release that this one could not apply',
      () => bus.health().unknown,
    ),
    counter('refused', 'Calls of the bus that Redis refused', () => bus.health().refused),
  ]
}

/** The reads of a cache since its creation and the size of its memory, for Prometheus. */
export function cacheFigures(cache: Pick<Cache<unknown>, 'name' | 'stats'>) {
  const { counter, gauge } = createFigures('cache', { cache: cache.name })
  return [
    counter('hits', 'Served from memory', () => cache.stats().hits),
    counter('store_hits', 'Served from Redis', () => cache.stats().storeHits),
    counter('loads', 'Runs of the loader', () => cache.stats().loads),
    counter('load_failures', 'Runs of the loader that failed', () => cache.stats().loadFailures),
    counter('outages', 'Reads while Redis was unavailable', () => cache.stats().outages),
    counter('unreadable', 'Stored values that parse refused', () => cache.stats().unreadable),
    counter('too_large', 'Loaded values over maxValueBytes', () => cache.stats().tooLarge),
    counter('not_stored', 'Loaded values that were not stored', () => cache.stats().refused),
    counter('evictions', 'Entries that were removed to make room', () => cache.stats().evicted),
    gauge('entries', 'Entries in memory', () => cache.stats().entries),
    gauge('bytes', 'Estimated memory of the entries', () => cache.stats().bytes),
  ]
}

/** Their shape is `Figure` of `@repo/observability`, which this package does not depend on. */
function createFigures(noun: string, labels: Record<string, string>) {
  return {
    counter: (name: string, help: string, read: () => number) => ({
      name: `threefold_${noun}_${name}_total`,
      help,
      kind: 'counter' as const,
      labels,
      read,
    }),
    gauge: (name: string, help: string, read: () => number) => ({
      name: `threefold_${noun}_${name}`,
      help,
      kind: 'gauge' as const,
      labels,
      read,
    }),
  }
}

/** The time in which a bus joins again, in ms. */
const JOINING_MS = 400

/**
 * Checks that this instance receives the messages of other instances. Otherwise it serves nothing from
 * memory, and barriers of other instances wait for it.
 * @throws CacheError `unavailable`
 */
export async function checkBus(bus: Pick<Bus, 'health'>): Promise<void> {
  if (bus.health().leaseMsLeft > 0) return
  await pause(JOINING_MS)
  if (bus.health().leaseMsLeft > 0) return
  const { refusal } = bus.health()
  const reason = refusal === undefined ? '' : `: Redis replies "${refusal}"`
  const message = `this instance does not receive the messages of the others${reason}`
  throw new CacheError('unavailable', message)
}
