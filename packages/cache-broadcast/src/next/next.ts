import { MAX_LIFE_MS } from '../bus/invalidations.ts'
import type { Bus } from '../bus/types.ts'
import { createInvalidationSink } from '../cache/invalidation-sink.ts'
import { createMemoryLevel, createTickets } from '../cache/memory-level.ts'
import { createNotices, type Notices } from '../cache/notices.ts'
import { MAX_ENTRIES } from '../cache/options.ts'
import { openStore } from '../cache/store.ts'
import { CacheError, toCacheError } from '../errors.ts'
import { checkFunction, checkName, checkWhole, readOptions, toTags } from '../input.ts'
import {
  createNextEntries,
  createPositions,
  type FoundEntry,
  isDueForRenewal,
  type NextEntry,
  type StoredEntry,
  streamOf,
} from './entries.ts'

/** A handler of the `cacheHandlers` of Next 16 (next/cache, `CacheHandler`). */
export interface NextCacheHandler {
  get(cacheKey: string, softTags: string[]): Promise<NextEntry | undefined>
  set(cacheKey: string, pendingEntry: Promise<NextEntry>): Promise<void>
  refreshTags(): Promise<void>
  getExpiration(tags: string[]): Promise<number>
  updateTags(tags: string[], durations?: { expire?: number }): Promise<void>
}

/** Options of a handler for Next. */
export interface NextHandlerOptions {
  /** Called at the first use, so that nothing connects when Next imports the handler. */
  bus: () => Bus
  name?: string
  maxEntries?: number
  maxBytes?: number
  /** An entry with a larger body is not stored. */
  maxValueBytes?: number
  /** Receives the errors of `get` and `set`, which then count as a miss and as not stored. */
  onError?: (error: unknown) => void
}

const MAX_BODY_BYTES = 64 * 1_024 * 1_024

/**
 * A handler for `use cache: remote` (or any kind) that all instances share. An entry that one instance
 * renders is found on all. A tag that one instance revalidates is invalid on all before
 * `revalidateTag` resolves. The bus sends the tags, so no request reads them.
 *
 * @throws CacheError `bad-option`
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
  checkWhole('maxEntries', maxEntries, 1, MAX_ENTRIES)
  checkWhole('maxBytes', maxBytes, 1, Number.MAX_SAFE_INTEGER)
  checkWhole('maxValueBytes', maxValueBytes, 1, MAX_BODY_BYTES)
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
    const memory = createMemoryLevel<StoredEntry>({ maxEntries, maxBytes })
    const tickets = createTickets()
    const positions = createPositions(() => link.applied())
    const flights = { detach: () => undefined, detachAll: () => undefined }
    const settings = { tags: () => [], staleMs: MAX_LIFE_MS, failSafeMs: 0 }
    const sink = createInvalidationSink({ cache: name, memory, tickets, flights, settings, clock })
    link.attach(positions.recording(sink))
    return {
      bus,
      lease,
      clock,
      memory,
      tickets,
      positions,
      store: openStore(name, { link, hasTags: true }),
    }
  }

  const entries = createNextEntries(() => (opened ??= open()), maxValueBytes)

  /** The entry in memory, unless it is due for renewal and another instance has renewed it. */
  async function find(cacheKey: string, softTags: string[]): Promise<FoundEntry | undefined> {
    const inMemory = entries.findInMemory(cacheKey, softTags)
    if (inMemory && !isDueForRenewal(inMemory)) return inMemory
    try {
      return (await entries.findInRedis(cacheKey, softTags)) ?? inMemory
    } catch (error) {
      if (!inMemory) throw error
      report(error)
      return inMemory
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
        report(error) // the entry is not stored
      } finally {
        resolve()
        if (pending.get(cacheKey) === promise) pending.delete(cacheKey)
      }
    },
    // The bus sends the tags, so there is nothing to read.
    refreshTags: async () => undefined,
    // `get` checks soft tags by numbers of the log, so clocks of instances are not compared.
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
  // No entry lives longer.
  return Math.ceil(Math.min(expire * 1_000, MAX_LIFE_MS))
}
