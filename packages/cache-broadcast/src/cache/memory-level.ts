import type { Flight } from '@repo/concurrency'
import type { Decoded, Encoded } from './codec.ts'
import type { Settings } from './options.ts'

/**
 * A value in the memory of this process. Times are the monotonic time of the process in whole ms: V8
 * stores a whole number below 2^31 in the entry, and any other number in a separate object.
 */
export interface Entry<T> {
  /** Undefined: the source has no value. */
  readonly value: T | undefined
  /** The second hit creates it, so that a later hit creates no object. */
  promise: Promise<T | undefined> | undefined
  /** All entries of the log up to this number are older than the value. */
  readonly version: number
  freshUntilMs: number
  /** Until then the value may be served while it is loaded again. */
  staleUntilMs: number
  /** Until then the value may be served at all. */
  endsAtMs: number
  /** Whether the entry was read since the hand last passed it. */
  isUsed: boolean
  readonly bytes: number
  readonly tags: readonly string[]
}

/** After this number of puts that evicted nothing, the hand starts at the oldest entry again. */
const IDLE_PUTS = 1_000
/** Estimated memory of an entry beside its JSON and key, in bytes; `bench/memory.ts` measures it. */
const OVERHEAD = 180

export type MemoryLevel<T> = ReturnType<typeof createMemoryLevel<T>>

/**
 * The values in the memory of this process, within a limit of entries and of bytes (I10). It evicts as
 * CLOCK does (Corbató 1968): the oldest entry that was not read since the hand last passed it. A hit
 * costs one write.
 */
export function createMemoryLevel<T>({
  maxEntries,
  maxBytes,
}: {
  maxEntries: number
  maxBytes: number
}) {
  let entries: Map<string, Entry<T>> = new Map()
  let keysByTag = new Map<string, Set<string>>()
  const totals = { bytes: 0, evicted: 0 }
  /** The time of the next refresh, for the few entries that wait for it. */
  const postponed = new WeakMap<Entry<T>, number>()
  /** No entry has a lower version. */
  let oldestVersion = Number.POSITIVE_INFINITY
  // An iterator stays open while entries are evicted, because a new one first skips all deleted
  // entries. It is closed after that, because it holds the outgrown tables of the Map in memory.
  let hand: MapIterator<[string, Entry<T>]> | undefined
  let idlePuts = 0

  function remove(key: string, entry: Entry<T>) {
    entries.delete(key)
    totals.bytes -= entry.bytes
    for (const tag of entry.tags) {
      const keys = keysByTag.get(tag)
      keys?.delete(key)
      if (keys?.size === 0) keysByTag.delete(tag)
    }
  }

  function makeRoom() {
    idlePuts = 0
    while (entries.size > maxEntries || totals.bytes > maxBytes) {
      hand ??= entries.entries()
      const { value: next } = hand.next()
      if (!next) {
        hand = undefined
        continue
      }
      const [key, entry] = next
      if (entry.isUsed) {
        entry.isUsed = false
        entry.promise = undefined
        entries.delete(key)
        entries.set(key, entry) // the hand passes it again after all others
      } else {
        remove(key, entry)
        totals.evicted += 1
      }
    }
  }

  const level = {
    /** Replaced by `clear`. */
    entries,
    totals,
    put(key: string, entry: Entry<T>): void {
      const before = entries.get(key)
      if (before) {
        if (before.version > entry.version) return
        remove(key, before)
      }
      entries.set(key, entry)
      if (entry.version < oldestVersion) oldestVersion = entry.version
      totals.bytes += entry.bytes
      for (const tag of entry.tags) {
        const keys = keysByTag.get(tag)
        if (keys) keys.add(key)
        else keysByTag.set(tag, new Set([key]))
      }
      if (entries.size > maxEntries || totals.bytes > maxBytes) makeRoom()
      else if (hand && (idlePuts += 1) === IDLE_PUTS) hand = undefined
    },
    /** Removes the value of the key if it is older than n. */
    drop(key: string, n: number): void {
      const entry = entries.get(key)
      if (entry && entry.version < n) remove(key, entry)
    },
    /** The entries of the keys or tags that are older than n. */
    olderThan(n: number, { keys = [], tags = [] }: { keys?: string[]; tags?: string[] }) {
      const found = new Map<string, Entry<T>>()
      function find(key: string) {
        const entry = entries.get(key)
        if (entry && entry.version < n) found.set(key, entry)
      }
      for (const key of keys) find(key)
      for (const tag of tags) for (const key of keysByTag.get(tag) ?? []) find(key)
      return found
    },
    remove,
    /** The entry is not refreshed before `untilMs`. */
    postpone: (entry: Entry<T>, untilMs: number) => void postponed.set(entry, untilMs),
    isDue: (entry: Entry<T>, nowMs: number) => nowMs >= (postponed.get(entry) ?? 0),
    /**
     * Removes everything that is older than n. Newer entries are removed too, and are read from Redis
     * again: to check each of a million entries would block the event loop for more than a second.
     */
    clear(n: number): void {
      if (oldestVersion >= n) return
      entries = new Map()
      level.entries = entries
      keysByTag = new Map()
      hand = undefined
      oldestVersion = Number.POSITIVE_INFINITY
      totals.bytes = 0
    },
  }
  return level
}

/** A ticket is open while work is in flight that may store a value in memory. */
export interface Ticket {
  readonly key: string
  /** The highest number of an entry that invalidated the key since the ticket was opened. */
  fence: number
  /** The next open ticket of the same key. */
  next: Ticket | undefined
}

/** A read in flight is its own ticket: one object per read. */
export interface Read<T> extends Flight<T>, Ticket {}

/**
 * The fence of the memory level (I2). An invalidation that overtakes a load, or a reply of Redis,
 * leaves its number on each open ticket of the key. An older value is then not stored in memory.
 */
export function createTickets() {
  const openTickets = new Map<string, Ticket>()

  function fenceFrom(first: Ticket | undefined, n: number) {
    for (let ticket = first; ticket; ticket = ticket.next) ticket.fence = Math.max(ticket.fence, n)
  }

  function add(ticket: Ticket): void {
    ticket.next = openTickets.get(ticket.key)
    openTickets.set(ticket.key, ticket)
  }

  return {
    /** Opens a ticket that the caller has created with the fence 0. */
    add,
    open(key: string): Ticket {
      const ticket: Ticket = { key, fence: 0, next: undefined }
      add(ticket)
      return ticket
    },
    close(ticket: Ticket): void {
      const { key, next } = ticket
      let before = openTickets.get(key)
      if (before !== ticket) {
        while (before && before.next !== ticket) before = before.next
        if (before) before.next = next
      } else if (next) openTickets.set(key, next)
      else openTickets.delete(key)
    },
    fence: (key: string, n: number) => fenceFrom(openTickets.get(key), n),
    /** Fences all keys, for a tag, `clear` or a gap in the log. */
    fenceAll(n: number): void {
      for (const first of openTickets.values()) fenceFrom(first, n)
    },
  }
}

export type Tickets = ReturnType<typeof createTickets>

export type MemoryWriter<T> = ReturnType<typeof createMemoryWriter<T>>

/** Puts values into the memory level, unless an invalidation has fenced their ticket (I2). */
export function createMemoryWriter<T>({
  memory,
  settings,
  now,
}: {
  memory: MemoryLevel<T>
  settings: Settings<T>
  now: () => number
}) {
  const { localTtlMs, staleMs, failSafeMs, retryAfterMs, jitter } = settings

  /** Changes a time to live at random, by at most the jitter of the cache. */
  function spread(ms: number): number {
    return ms * (1 + jitter * (2 * Math.random() - 1))
  }

  /** @param freshMs the remaining time of freshness; below 0: the time since it ended */
  function write(
    ticket: Ticket,
    { value, tags }: { value: T | undefined; tags: string[] },
    { version, freshMs, size }: { version: number; freshMs: number; size: number },
  ): void {
    // I2: an invalidation overtook this value.
    if (ticket.fence > version) return
    const atMs = Math.floor(now())
    const staleUntilMs = atMs + Math.floor(freshMs + staleMs)
    memory.put(ticket.key, {
      value,
      promise: undefined,
      version,
      freshUntilMs: atMs + Math.floor(Math.min(freshMs, spread(localTtlMs))),
      staleUntilMs,
      endsAtMs: staleUntilMs + Math.floor(failSafeMs),
      isUsed: false,
      bytes: (size + ticket.key.length) * 2 + OVERHEAD,
      tags,
    })
  }

  return {
    spread,
    writeLoaded(ticket: Ticket, encoded: Encoded<T>, version: number, freshMs: number): void {
      write(ticket, encoded, { version, freshMs, size: encoded.rest.length })
    },
    writeStored(ticket: Ticket, decoded: Decoded<T>, nowMs: number): void {
      const { version, size } = decoded
      write(ticket, decoded, { version, freshMs: decoded.freshUntilMs - nowMs, size })
    },
    /** A load failed and this entry is served instead: no load is tried for `retryAfterMs`. */
    postponeBridging(entry: Entry<T>): void {
      const retryAtMs = Math.floor(now() + retryAfterMs)
      memory.postpone(entry, retryAtMs)
      entry.staleUntilMs = Math.max(entry.staleUntilMs, Math.min(retryAtMs, entry.endsAtMs))
    },
  }
}
