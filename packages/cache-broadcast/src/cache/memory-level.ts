/**
 * A value in the memory of this process. Times are its monotonic time in whole ms: V8 stores a whole
 * number below 2^31 in the entry, and any other number in an object of its own.
 */
export interface Entry<T> {
  /** Undefined: the source has nothing. */
  readonly value: T | undefined
  /** Made by the second hit, so that a later one makes nothing. */
  promise: Promise<T | undefined> | undefined
  /** All entries of the log up to this number are older than the value. */
  readonly version: number
  freshUntilMs: number
  /** Until when it may be served while it is loaded anew. */
  staleUntilMs: number
  /** Until when it may be served at all. */
  endsAtMs: number
  /** Read since the hand last passed. */
  used: boolean
  readonly bytes: number
  readonly tags: readonly string[]
}

/** After so many entries that needed no room made, the hand starts over. */
const STILL = 1_000

export type LocalStore<T> = ReturnType<typeof createLocalStore<T>>

/**
 * The first level: bounded in entries and in bytes. Who has to go is found as by CLOCK (Corbató
 * 1968): the oldest that was not read since the hand last passed it, so that a hit costs one write.
 */
export function createLocalStore<T>({
  maxEntries,
  maxBytes,
}: {
  maxEntries: number
  maxBytes: number
}) {
  let entries: Map<string, Entry<T>> = new Map()
  let tagged = new Map<string, Set<string>>()
  const totals = { bytes: 0, evicted: 0 }
  /** When a refresh may be tried again, for the few entries that wait for it. */
  const postponed = new WeakMap<Entry<T>, number>()
  /** No entry is of a lower version. */
  let oldest = Number.POSITIVE_INFINITY
  // Kept while it moves, for a Map finds its first entry only behind all that went before it; no
  // longer, for it keeps alive what the Map has outgrown.
  let hand: MapIterator<[string, Entry<T>]> | undefined
  let still = 0

  function remove(key: string, entry: Entry<T>) {
    entries.delete(key)
    totals.bytes -= entry.bytes
    for (const tag of entry.tags) {
      const of = tagged.get(tag)
      of?.delete(key)
      if (of?.size === 0) tagged.delete(tag)
    }
  }

  function makeRoom() {
    still = 0
    while (entries.size > maxEntries || totals.bytes > maxBytes) {
      hand ??= entries.entries()
      const { value: next } = hand.next()
      if (!next) {
        hand = undefined
        continue
      }
      const [key, entry] = next
      if (entry.used) {
        entry.used = false
        entry.promise = undefined
        entries.delete(key)
        entries.set(key, entry) // behind the hand, which meets it again
      } else {
        remove(key, entry)
        totals.evicted += 1
      }
    }
  }

  const store = {
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
      if (entry.version < oldest) oldest = entry.version
      totals.bytes += entry.bytes
      for (const tag of entry.tags) {
        const of = tagged.get(tag)
        if (of) of.add(key)
        else tagged.set(tag, new Set([key]))
      }
      if (entries.size > maxEntries || totals.bytes > maxBytes) makeRoom()
      else if (hand && (still += 1) === STILL) hand = undefined
    },
    /** Forgets the key if what is kept is older than n. */
    drop(key: string, n: number): void {
      const entry = entries.get(key)
      if (entry && entry.version < n) remove(key, entry)
    },
    /** What is kept of the keys or tags and is older than n. */
    olderThan(n: number, { keys = [], tags = [] }: { keys?: string[]; tags?: string[] }) {
      const found = new Map<string, Entry<T>>()
      function find(key: string) {
        const entry = entries.get(key)
        if (entry && entry.version < n) found.set(key, entry)
      }
      for (const key of keys) find(key)
      for (const tag of tags) for (const key of tagged.get(tag) ?? []) find(key)
      return found
    },
    remove,
    /** No refresh of the entry is tried before `untilMs`. */
    postpone: (entry: Entry<T>, untilMs: number) => void postponed.set(entry, untilMs),
    isDue: (entry: Entry<T>, nowMs: number) => nowMs >= (postponed.get(entry) ?? 0),
    /**
     * Forgets everything that is older than n. Newer entries go too, and are read from Redis again:
     * to look at each of a million entries would block the event loop for longer than a second.
     */
    clear(n: number): void {
      if (oldest >= n) return
      entries = new Map()
      store.entries = entries
      tagged = new Map()
      hand = undefined
      oldest = Number.POSITIVE_INFINITY
      totals.bytes = 0
    },
  }
  return store
}
