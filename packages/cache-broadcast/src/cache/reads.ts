import { createBatchQueue, runInBackground, type SingleFlight } from '@repo/concurrency'
import type { Link } from '../bus/types.ts'
import { type CacheError, toCacheError } from '../errors.ts'
import type { Answer, createLoads, Loaded } from './loads.ts'
import type { MemoryLevel, MemoryWriter, Read, Ticket, Tickets } from './memory-level.ts'
import type { Notices } from './notices.ts'
import type { Settings } from './options.ts'
import { type Reading, READS, type Stats, type Store } from './types.ts'

export interface ReadsOptions<T> {
  settings: Settings<T>
  link: Link
  memory: MemoryLevel<T>
  tickets: Tickets
  flights: SingleFlight<T | undefined, void, Read<T | undefined>>
  store: Store
  loads: ReturnType<typeof createLoads<T>>
  writer: MemoryWriter<T>
  stats: Stats
  notices: Notices
}

/** Reads that memory cannot serve, and what they serve when a load fails or Redis is unavailable. */
export function createReads<T>(options: ReadsOptions<T>) {
  const { settings, link, memory, tickets, flights, store, loads, writer, stats } = options
  const { notices } = options
  const refreshing = new Set<string>()
  const queue = createBatchQueue<Read<T | undefined>>({
    maxItems: READS,
    handle: (reads) => void readTogether(reads),
  })

  /** The value that may be served instead of a value that could not be loaded. */
  function bridge(ticket: Ticket, loaded: Extract<Loaded<T>, { outcome: 'failed' }>) {
    const nowMs = link.clock.exact()
    const entry = memory.entries.get(ticket.key)
    if (entry && nowMs < entry.endsAtMs && nowMs < link.lease.untilMs) {
      writer.postponeBridging(entry)
      return entry
    }
    // This read got the value from Redis: an invalidation that arrived later does not hold it up.
    return ticket.fence <= (loaded.bridge?.version ?? -1) ? loaded.bridge : undefined
  }

  function settle(ticket: Ticket, loaded: Loaded<T>): T | undefined {
    if (loaded.outcome === 'value') return loaded.value
    if (loaded.outcome === 'failed') {
      const instead = bridge(ticket, loaded)
      if (!instead) throw loaded.error
      stats.bridged += 1
      return instead.value
    }
    throw new TypeError(`a read cannot end with the outcome ${loaded.outcome}`)
  }

  async function readWithoutStore(ticket: Ticket, error: CacheError): Promise<T | undefined> {
    stats.outages += 1
    notices.note('outage', error)
    if (settings.outage === 'fail') throw error
    const entry = memory.entries.get(ticket.key)
    if (settings.outage === 'stale' && entry && link.clock.exact() < entry.endsAtMs) {
      return entry.value
    }
    return settle(ticket, await loads.load(ticket, undefined, undefined))
  }

  async function refreshNow(key: string) {
    refreshing.add(key)
    const ticket = tickets.open(key)
    try {
      const { outcome } = await loads.fetch(ticket, 'refresh')
      const entry = memory.entries.get(key)
      if (outcome === 'value' || !entry) return
      if (outcome === 'busy') memory.postpone(entry, link.clock.exact() + link.claimMs / 3)
      else writer.postponeBridging(entry)
    } finally {
      tickets.close(ticket)
      refreshing.delete(key)
    }
  }

  /** Reads the keys of one tick. A fresh value is served from here, without a further promise. */
  async function readTogether(reads: Read<T | undefined>[]) {
    const keys = reads.map(({ key }) => key)
    let readings
    try {
      readings = await store.readMany(keys)
    } catch (error) {
      const outage = toCacheError(error)
      for (const read of reads) void finish(read, readWithoutStore(read, outage))
      return
    }
    for (let i = 0; i < reads.length; i += 1) {
      const read = reads[i]
      const reading = readings[i]
      if (read && reading) answer(read, reading)
    }
  }

  function answer(read: Read<T | undefined>, reading: Reading) {
    try {
      const found = loads.toAnswer(read.key, reading)
      if (loads.serveFresh(read, found)) flights.complete(read, found.found?.value)
      else void finish(read, fetchOrBypass(read, found))
    } catch (error) {
      flights.fail(read, error)
    }
  }

  async function fetchOrBypass(read: Read<T | undefined>, found: Answer<T>) {
    const loaded = await loads.fetch(read, 'read', found)
    if (loaded.outcome === 'unavailable') return readWithoutStore(read, loaded.error)
    return settle(read, loaded)
  }

  async function finish(read: Read<T | undefined>, value: Promise<T | undefined>) {
    try {
      flights.complete(read, await value)
    } catch (error) {
      flights.fail(read, error)
    }
  }

  return {
    start: queue.add,
    /** Loads a value again in the background, while callers are served the stored value. */
    refresh(key: string): void {
      if (!refreshing.has(key)) runInBackground('cache.refresh', () => refreshNow(key))
    },
  }
}
