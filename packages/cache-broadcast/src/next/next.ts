import type { Bus } from '../bus-api.ts'
import { checkFunction, checkWhole, readOptions } from '../bus-input.ts'
import { createTickets } from '../cache/fences.ts'
import { createLocalStore } from '../cache/memory-level.ts'
import { createNotices, type Notices } from '../cache/notices.ts'
import { createSink } from '../cache/on-invalidation.ts'
import { MOST_ENTRIES } from '../cache/options.ts'
import { CacheError, toCacheError } from '../errors.ts'
import { MAX_LIFE_MS } from '../invalidations.ts'
import { checkName, toTags } from '../names.ts'
import { streamOf } from './body.ts'
import {
  createNextEntries,
  type Found,
  isDueForRenewal,
  type NextEntry,
  type StoredEntry,
} from './entries.ts'
import { createPositions } from './positions.ts'

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
  /** An entry with a larger body is not stored. */
  maxValueBytes?: number
  /** What went wrong in `get` and `set`, which then count as a miss and as not stored. */
  onError?: (error: unknown) => void
}

const MOST_BODY_BYTES = 64 * 1_024 * 1_024

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
  maxValueBytes = 2 * 1_024 * 1_024,
  onError = () => undefined,
}: NextHandlerOptions): NextCacheHandler {
  checkFunction('bus', openBus)
  checkName('cache', name)
  checkWhole('maxEntries', maxEntries, 1, MOST_ENTRIES)
  checkWhole('maxBytes', maxBytes, 1, Number.MAX_SAFE_INTEGER)
  checkWhole('maxValueBytes', maxValueBytes, 1, MOST_BODY_BYTES)
  checkFunction('onError', onError)
  const pending = new Map<string, Promise<void>>()
  let opened: ReturnType<typeof open> | undefined
  let notices: Notices | undefined

  function report(error: unknown) {
    notices?.note('next', error)
    try {
      onError(toCacheError(error))
    } catch {
      // The error is logged; a handler that throws must not fail the request.
    }
  }

  function open() {
    const bus = openBus()
    const { link } = bus
    const { clock, lease } = link
    notices = createNotices(name, link.log)
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

  const entries = createNextEntries(() => (opened ??= open()), maxValueBytes)

  /** The entry in memory, unless it is due for renewal and another instance has renewed it. */
  async function find(cacheKey: string, softTags: string[]): Promise<Found | undefined> {
    const local = entries.local(cacheKey, softTags)
    if (local && !isDueForRenewal(local)) return local
    try {
      return (await entries.remote(cacheKey, softTags)) ?? local
    } catch (error) {
      if (!local) throw error
      report(error)
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
        report(error)
        return undefined
      }
    },
    async set(cacheKey, pendingEntry) {
      const { promise, resolve } = Promise.withResolvers<void>()
      pending.set(cacheKey, promise)
      try {
        await entries.store(cacheKey, await pendingEntry)
      } catch (error) {
        report(error) // an interrupted entry is not kept, nor one that Redis did not take
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
      if (Array.isArray(tags) && tags.length === 0) return
      const all = toTags(tags)
      if (!durations) await bus.invalidateTag(all, { wait: 'everywhere' })
      else {
        const { expire } = readOptions('updateTags', durations)
        await bus.expireTag(all, { wait: 'everywhere', expireMs: toExpireMs(expire) })
      }
    },
  }
}

/** @throws CacheError `bad-option` */
function toExpireMs(expire: unknown): number | undefined {
  if (expire === undefined) return undefined
  if (typeof expire !== 'number' || !(expire >= 0)) {
    throw new CacheError('bad-option', 'durations.expire must be a number of seconds, 0 or above')
  }
  // No entry lives for longer.
  return Math.ceil(Math.min(expire * 1_000, MAX_LIFE_MS))
}
