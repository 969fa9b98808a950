import { setImmediate as turn } from 'node:timers/promises'
import { createFlight, createSingleFlight } from '@repo/concurrency'
import { MAX_LIFE_MS } from '../bus/invalidations.ts'
import { CacheError } from '../errors.ts'
import { checkKey, checkWait, readOptions, toKeys } from '../input.ts'
import { createCodec } from './codec.ts'
import { createInvalidationSink } from './invalidation-sink.ts'
import { createLoadClaims, createLoads } from './loads.ts'
import {
  createMemoryLevel,
  createMemoryWriter,
  createTickets,
  type Entry,
  type Read,
} from './memory-level.ts'
import { createNotices } from './notices.ts'
import { type CacheOptions, readCacheOptions } from './options.ts'
import { createReads } from './reads.ts'
import { openStore } from './store.ts'
import { type Cache, createStats } from './types.ts'

/** Keys of one `getMany` that are read and loaded at the same time. */
const WINDOW = 1_024

/**
 * A cache in two levels: the memory of this process, and Redis. A read never returns a value that was
 * invalidated with a barrier before the read began (I1), on any instance. This also holds for a load
 * that was in flight, and for an instance that was cut off. The README lists the outcomes when Redis
 * is unavailable.
 *
 * @throws CacheError `bad-option`
 */
export function createCache<T>(options: CacheOptions<T>): Cache<T> {
  const settings = readCacheOptions(options)
  const { bus, name, ttlMs, staleMs, failSafeMs } = settings
  const { link } = bus
  const { clock, lease } = link
  const stats = createStats()
  const memory = createMemoryLevel<T>(settings)
  const tickets = createTickets()
  const store = openStore(name, { link, hasTags: settings.tags !== undefined })
  const notices = createNotices(name, link.log)
  const codec = createCodec(settings, (error) => {
    stats.unreadable += 1
    notices.note('unreadable', error)
  })
  const writer = createMemoryWriter({ memory, settings, now: () => clock.exact() })
  const claims = createLoadClaims(store, link.claimMs, () => (stats.refused += 1))
  const loads = createLoads<T>({
    settings,
    store,
    codec,
    writer,
    claims,
    stats,
    notices,
    refresh: (key) => reads.refresh(key),
  })
  // I7: concurrent callers of a key share one read, and its error.
  const flights = createSingleFlight<T | undefined, void, Read<T | undefined>>({
    create: (key) => ({ ...createFlight<T | undefined>(key), fence: 0, next: undefined }),
    start(read) {
      tickets.add(read)
      reads.start(read)
      return undefined
    },
    onEnd: (read) => tickets.close(read),
  })
  const reads = createReads<T>({
    settings,
    link,
    memory,
    tickets,
    flights,
    store,
    loads,
    writer,
    stats,
    notices,
  })
  const sink = createInvalidationSink({ cache: name, memory, tickets, flights, settings, clock })
  const detach = link.attach(sink)
  let isClosed = false

  function getSlowly(key: string, entry: Entry<T> | undefined): Promise<T | undefined> {
    try {
      if (isClosed) throw new CacheError('closed', `the cache ${name} was closed`)
      checkKey(key)
    } catch (error) {
      return Promise.reject(error)
    }
    const nowMs = clock.exact()
    const isInformed = nowMs < lease.untilMs
    if (entry && isInformed && nowMs < entry.staleUntilMs) {
      stats.staleHits += 1
      entry.isUsed = true
      if (memory.isDue(entry, nowMs)) reads.refresh(key)
      return Promise.resolve(entry.value)
    }
    // Without a lease, a read that began before this call may return a value that is too old (I1).
    return isInformed ? flights.join(key) : flights.joinLater(key)
  }

  function get(key: string): Promise<T | undefined> {
    const entry = memory.entries.get(key)
    if (entry !== undefined) {
      const nowMs = clock.turn()
      if (nowMs < entry.freshUntilMs && nowMs < lease.untilMs) {
        stats.hits += 1
        const { promise } = entry
        const wasUsed = entry.isUsed
        entry.isUsed = true
        if (promise !== undefined) return promise
        // The promise takes 40 bytes, so an entry that is read once has no promise.
        return wasUsed
          ? (entry.promise = Promise.resolve(entry.value))
          : Promise.resolve(entry.value)
      }
    }
    return getSlowly(key, entry)
  }

  return {
    name,
    peek(key) {
      const entry = memory.entries.get(key)
      if (entry === undefined) return undefined
      const nowMs = clock.turn()
      if (nowMs >= entry.freshUntilMs || nowMs >= lease.untilMs) return undefined
      entry.isUsed = true
      stats.hits += 1
      return entry.value
    },
    get,
    async getMany(keys) {
      const all = toKeys(keys)
      if (all.length <= WINDOW) return Promise.all(all.map(get))
      const values: (T | undefined)[] = []
      for (let at = 0; at < all.length; at += WINDOW) {
        for (const value of await Promise.all(all.slice(at, at + WINDOW).map(get))) {
          values.push(value)
        }
        await turn() // other work of this process runs between the keys
      }
      return values
    },
    async set(key, value, setOptions) {
      checkKey(key)
      const { wait, ttlMs: setTtlMs = ttlMs } = readOptions('set', setOptions)
      checkWait(wait)
      if (typeof setTtlMs !== 'number' || !(setTtlMs > 0 && setTtlMs <= MAX_LIFE_MS)) {
        throw new CacheError('bad-option', `ttlMs must be above 0 and at most ${MAX_LIFE_MS}`)
      }
      const encoded = codec.encode(codec.represent(value, key), key)
      const freshMs = Math.ceil(writer.spread(setTtlMs))
      const lifeMs = Math.ceil(freshMs + staleMs + failSafeMs)
      const { kind, rest } = encoded
      const ticket = tickets.open(key)
      try {
        const delivery = await store.put(key, { kind, rest, freshMs, lifeMs }, { wait })
        tickets.fence(key, delivery.n)
        flights.detach(key)
        writer.writeLoaded(ticket, encoded, delivery.n, freshMs)
        return delivery
      } finally {
        tickets.close(ticket)
      }
    },
    invalidate: (keys, invalidation) => bus.invalidate(name, keys, invalidation),
    async expire(keys, delivery) {
      const { wait } = readOptions('expire', delivery)
      checkWait(wait)
      const all = toKeys(keys)
      if (all.length === 0) return { outcome: 'sent', n: 0 }
      if (staleMs + failSafeMs === 0) return bus.invalidate(name, all, { wait })
      const expired = await store.expire(all, staleMs + failSafeMs, { wait })
      sink.soften(all, expired.n)
      return expired
    },
    clear: (delivery) => bus.clear(name, delivery),
    stats: () => ({ ...stats, entries: memory.entries.size, ...memory.totals }),
    close() {
      isClosed = true
      detach()
      // Nothing may stay in memory without invalidations, nor be stored by a read in flight.
      sink.clear(Number.MAX_SAFE_INTEGER)
    },
  }
}
