import type { Bus } from './bus-api.ts'
import { toCacheError } from './errors.ts'
import { MAX_LIFE_MS } from './invalidations.ts'
import { createLocalStore } from './local-store.ts'
import { checkName } from './names.ts'
import {
  createNextEntries,
  type Found,
  isDueForRenewal,
  type NextEntry,
  type StoredEntry,
  streamOf,
} from './next-entry.ts'
import { createPositions } from './positions.ts'
import { createSink } from './sink.ts'
import { createTickets } from './tickets.ts'

/** What Next 16 asks of a handler of `cacheHandlers` (next/cache, `CacheHandler`). */
export interface NextCacheHandler {
  get(cacheKey: string, softTags: string[]): Promise<NextEntry | undefined>
  set(cacheKey: string, pendingEntry: Promise<NextEntry>): Promise<void>
  refreshTags(): Promise<void>
  getExpiration(tags: string[]): Promise<number>
  updateTags(tags: string[], durations?: { expire?: number }): Promise<void>
}

/** What a handler for Next needs. */
export interface NextHandlerOptions {
  /** Asked for at the first use: nothing connects when Next imports the handler. */
  bus: () => Bus
  name?: string
  maxEntries?: number
  maxBytes?: number
  /** What went wrong in `get` and `set`, which then count as a miss and as not stored. */
  onError?: (error: unknown) => void
}

/** Tags in one message. */
const CHUNK = 64

/**
 * A handler for `use cache: remote` (or any kind) that all instances share: an entry made on one is
 * found on all, and a tag revalidated on one is gone on all before `revalidateTag` resolves. Tags
 * are pushed by the bus, so no request asks for them.
 */
export function createNextHandler({
  bus: openBus,
  name = 'next',
  maxEntries = 1_000,
  maxBytes = 64 * 1_024 * 1_024,
  onError = () => undefined,
}: NextHandlerOptions): NextCacheHandler {
  checkName('cache', name)
  const pending = new Map<string, Promise<void>>()
  let opened: ReturnType<typeof open> | undefined

  function open() {
    const bus = openBus()
    const { link } = bus
    const { clock, lease } = link
    const local = createLocalStore<StoredEntry>({ maxEntries, maxBytes })
    const tickets = createTickets()
    const positions = createPositions(() => link.applied())
    const flights = { detach: () => undefined, detachAll: () => undefined }
    const settings = { tags: () => [], staleMs: MAX_LIFE_MS, failSafeMs: 0 }
    const sink = createSink({ cache: name, local, tickets, flights, settings, clock })
    link.attach(positions.noting(sink))
    return {
      bus,
      lease,
      clock,
      local,
      tickets,
      positions,
      store: link.store(name, { hasTags: true }),
    }
  }

  const entries = createNextEntries(() => (opened ??= open()))

  /** The entry in memory, unless it is due for renewal and another instance has renewed it. */
  async function find(cacheKey: string, softTags: string[]): Promise<Found | undefined> {
    const local = entries.local(cacheKey, softTags)
    if (local && !isDueForRenewal(local)) return local
    try {
      return (await entries.remote(cacheKey, softTags)) ?? local
    } catch (error) {
      if (!local) throw error
      onError(toCacheError(error))
      return local
    }
  }

  return {
    async get(cacheKey, softTags) {
      try {
        await pending.get(cacheKey)
        const found = await find(cacheKey, softTags)
        return (
          found && { ...found.entry, revalidate: found.revalidate, value: streamOf(found.body) }
        )
      } catch (error) {
        onError(toCacheError(error))
        return undefined
      }
    },
    async set(cacheKey, pendingEntry) {
      const { promise, resolve } = Promise.withResolvers<void>()
      pending.set(cacheKey, promise)
      try {
        await entries.store(cacheKey, await pendingEntry)
      } catch (error) {
        onError(error) // an interrupted entry is not kept, nor one that Redis did not take
      } finally {
        resolve()
        if (pending.get(cacheKey) === promise) pending.delete(cacheKey)
      }
    },
    // Pushed by the bus: nothing to ask.
    refreshTags: async () => undefined,
    // Soft tags are judged in `get`, by numbers of the log: clocks of instances are not compared.
    getExpiration: async () => Number.POSITIVE_INFINITY,
    async updateTags(tags, durations) {
      const { bus } = (opened ??= open())
      const calls = []
      for (let at = 0; at < tags.length; at += CHUNK) {
        const some = tags.slice(at, at + CHUNK)
        if (!durations) calls.push(bus.invalidateTag(some, { wait: 'everywhere' }))
        else {
          const expireMs = durations.expire === undefined ? undefined : durations.expire * 1_000
          calls.push(bus.expireTag(some, { wait: 'everywhere', expireMs }))
        }
      }
      await Promise.all(calls)
    },
  }
}
