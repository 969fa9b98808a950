import { setImmediate as turn } from 'node:timers/promises'
import { createFlight, createSingleFlight } from '@repo/concurrency'
import { checkWait, readOptions } from '../bus-input.ts'
import { CacheError } from '../errors.ts'
import { MAX_LIFE_MS } from '../invalidations.ts'
import { checkKey, toKeys } from '../names.ts'
import { createCodec } from './codec.ts'
import { createTickets, type Read } from './fences.ts'
import { createKeeper } from './keeper.ts'
import { createClaims } from './load-claims.ts'
import { createLoading } from './load.ts'
import { createLocalStore, type Entry } from './memory-level.ts'
import { createNotices } from './notices.ts'
import { createSink } from './on-invalidation.ts'
import { type CacheOptions, readCacheOptions } from './options.ts'
import { createReads } from './read.ts'
import { createStats } from './stats.ts'
import type { Cache } from './types.ts'

/** Keys of one `getMany` that are read and loaded at once. */
const WINDOW = 1_024

/**
 * A cache in two levels, this process and Redis, that is never wrong: what was invalidated before a
 * read began is not served to it, on any instance, by a load that was under way or by an instance
 * that was cut off. See the README for what holds when Redis is away.
 *
 * @throws CacheError `bad-option`
 */
export function createCache<T>(options: CacheOptions<T>): Cache<T> {
  const settings = readCacheOptions(options)
  const { bus, name, ttlMs, staleMs, failSafeMs } = settings
  const { link } = bus
  const { clock, lease } = link
  const stats = createStats()
  const local = createLocalStore<T>(settings)
  const tickets = createTickets()
  const store = link.store(name, { hasTags: settings.tags !== undefined })
  const notices = createNotices(name, link.log)
  const codec = createCodec(settings, (error) => {
    stats.unreadable += 1
    notices.note('unreadable', error)
  })
  const keeper = createKeeper({ local, settings, now: () => clock.exact() })
  const claims = createClaims(store, link.claimMs, () => (stats.refused += 1))
  const loading = createLoading<T>({
    ...{ settings, store, codec, keeper, claims, stats, notices },
    refresh: (key) => reads.refresh(key),
  })
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
    ...{ settings, link, local, tickets, flights, store, loading, keeper, stats, notices },
  })
  const sink = createSink({ cache: name, local, tickets, flights, settings, clock })
  const detach = link.attach(sink)
  let closed = false

  function slow(key: string, entry: Entry<T> | undefined): Promise<T | undefined> {
    try {
      if (closed) throw new CacheError('closed', `the cache ${name} was closed`)
      checkKey(key)
    } catch (error) {
      return Promise.reject(error)
    }
    const nowMs = clock.exact()
    const informed = nowMs < lease.untilMs
    if (entry && informed && nowMs < entry.staleUntilMs) {
      stats.staleHits += 1
      entry.used = true
      if (local.isDue(entry, nowMs)) reads.refresh(key)
      return Promise.resolve(entry.value)
    }
    // Without news a read that began before this call may return too old a value (I1).
    return informed ? flights.join(key) : flights.joinLater(key)
  }

  function get(key: string): Promise<T | undefined> {
    const entry = local.entries.get(key)
    if (entry !== undefined) {
      const nowMs = clock.turn()
      if (nowMs < entry.freshUntilMs && nowMs < lease.untilMs) {
        stats.hits += 1
        const { promise } = entry
        const wasUsed = entry.used
        entry.used = true
        if (promise !== undefined) return promise
        // The promise takes 40 bytes: an entry that is read once has none.
        return wasUsed
          ? (entry.promise = Promise.resolve(entry.value))
          : Promise.resolve(entry.value)
      }
    }
    return slow(key, entry)
  }

  return {
    name,
    peek(key) {
      const entry = local.entries.get(key)
      if (entry === undefined) return undefined
      const nowMs = clock.turn()
      if (nowMs >= entry.freshUntilMs || nowMs >= lease.untilMs) return undefined
      entry.used = true
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
        await turn() // other work of this process, between the keys
      }
      return values
    },
    async set(key, value, setting) {
      checkKey(key)
      const { wait, ttlMs: ownTtlMs = ttlMs } = readOptions('set', setting)
      checkWait(wait)
      if (typeof ownTtlMs !== 'number' || !(ownTtlMs > 0 && ownTtlMs <= MAX_LIFE_MS)) {
        throw new CacheError('bad-option', `ttlMs must be above 0 and at most ${MAX_LIFE_MS}`)
      }
      const encoded = codec.encode(codec.represent(value, key), key)
      const freshMs = Math.ceil(keeper.spread(ownTtlMs))
      const lifeMs = Math.ceil(freshMs + staleMs + failSafeMs)
      const { kind, rest } = encoded
      const ticket = tickets.open(key)
      try {
        const delivery = await store.put(key, { kind, rest, freshMs, lifeMs }, { wait })
        tickets.fence(key, delivery.n)
        flights.detach(key)
        keeper.keepLoaded(ticket, encoded, delivery.n, freshMs)
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
    stats: () => ({ ...stats, entries: local.entries.size, ...local.totals }),
    close() {
      closed = true
      detach()
      // Without news nothing may be kept, nor what is still under way.
      sink.clear(Number.MAX_SAFE_INTEGER)
    },
  }
}
