import { createBatchQueue, runInBackground, type SingleFlight } from '@repo/concurrency'
import { type CacheError, toCacheError } from '../errors.ts'
import { type Link, type Reading, READS, type Store } from '../link.ts'
import type { Read, Ticket, Tickets } from './fences.ts'
import type { Keeper } from './keeper.ts'
import type { Answer, createLoading, Loaded } from './load.ts'
import type { LocalStore } from './memory-level.ts'
import type { Notices } from './notices.ts'
import type { Settings } from './options.ts'
import type { Stats } from './stats.ts'

export interface ReadsOptions<T> {
  settings: Settings<T>
  link: Link
  local: LocalStore<T>
  tickets: Tickets
  flights: SingleFlight<T | undefined, void, Read<T | undefined>>
  store: Store
  loading: ReturnType<typeof createLoading<T>>
  keeper: Keeper<T>
  stats: Stats
  notices: Notices
}

/** What a read does that finds nothing to serve at once, and what an outage makes of it. */
export function createReads<T>(options: ReadsOptions<T>) {
  const { settings, link, local, tickets, flights, store, loading, keeper, stats } = options
  const { notices } = options
  const refreshing = new Set<string>()
  const gathering = createBatchQueue<Read<T | undefined>>({
    maxItems: READS,
    handle: (boarded) => void readTogether(boarded),
  })

  /** What may be served instead of a value that could not be loaded. */
  function bridge(ticket: Ticket, loaded: Extract<Loaded<T>, { outcome: 'failed' }>) {
    const nowMs = link.clock.exact()
    const entry = local.entries.get(ticket.key)
    if (entry && nowMs < entry.endsAtMs && nowMs < link.lease.untilMs) {
      keeper.keepBridging(entry)
      return entry
    }
    // Read from Redis by this very flight: whatever invalidated it later may not hold it up.
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
    throw new TypeError(`a read cannot end ${loaded.outcome}`)
  }

  async function withoutStore(ticket: Ticket, error: CacheError): Promise<T | undefined> {
    stats.outages += 1
    notices.note('outage', error)
    if (settings.outage === 'fail') throw error
    const entry = local.entries.get(ticket.key)
    if (settings.outage === 'stale' && entry && link.clock.exact() < entry.endsAtMs) {
      return entry.value
    }
    return settle(ticket, await loading.load(ticket, undefined, undefined))
  }

  async function refreshNow(key: string) {
    refreshing.add(key)
    const ticket = tickets.open(key)
    try {
      const { outcome } = await loading.fetch(ticket, 'refresh')
      const entry = local.entries.get(key)
      if (outcome === 'value' || !entry) return
      if (outcome === 'busy') local.postpone(entry, link.clock.exact() + link.claimMs / 3)
      else keeper.keepBridging(entry)
    } finally {
      tickets.close(ticket)
      refreshing.delete(key)
    }
  }

  /** Reads of one tick. A fresh value is served from here, without a promise of its own. */
  async function readTogether(boarded: Read<T | undefined>[]) {
    const keys = boarded.map(({ key }) => key)
    let readings
    try {
      readings = await store.readMany(keys)
    } catch (error) {
      const outage = toCacheError(error)
      for (const flight of boarded) void finish(flight, withoutStore(flight, outage))
      return
    }
    for (let i = 0; i < boarded.length; i += 1) {
      const flight = boarded[i]
      const reading = readings[i]
      if (flight && reading) answerTo(flight, reading)
    }
  }

  function answerTo(flight: Read<T | undefined>, reading: Reading) {
    try {
      const answer = loading.readOf(flight.key, reading)
      if (loading.serveFresh(flight, answer)) flights.complete(flight, answer.found?.value)
      else void finish(flight, otherwise(flight, answer))
    } catch (error) {
      flights.fail(flight, error)
    }
  }

  async function otherwise(flight: Read<T | undefined>, answer: Answer<T>) {
    const loaded = await loading.fetch(flight, 'read', answer)
    return loaded.outcome === 'away' ? withoutStore(flight, loaded.error) : settle(flight, loaded)
  }

  async function finish(flight: Read<T | undefined>, value: Promise<T | undefined>) {
    try {
      flights.complete(flight, await value)
    } catch (error) {
      flights.fail(flight, error)
    }
  }

  return {
    start: gathering.add,
    /** Loads a value anew behind those who are served what is there. */
    refresh(key: string): void {
      if (!refreshing.has(key)) runInBackground('cache.refresh', () => refreshNow(key))
    },
  }
}
