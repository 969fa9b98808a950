/** A value as this process keeps it; times are its own monotonic ms. */
export interface Entry<T> {
  readonly key: string
  /** Undefined: the source has nothing. */
  readonly value: T | undefined
  /** Made once, so that a hit makes nothing. */
  promise: Promise<T | undefined> | undefined
  /** All entries of the log up to this number are older than the value. */
  readonly version: number
  freshUntilMs: number
  /** Until when it may be served while it is loaded anew. */
  staleUntilMs: number
  /** Until when it may be served at all. */
  endsAtMs: number
  /** Not before then is a refresh tried (again). */
  refreshAtMs: number
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
  const entries = new Map<string, Entry<T>>()
  const tagged = new Map<string, Set<Entry<T>>>()
  const totals = { bytes: 0, evicted: 0 }
  // Kept while it moves, for a Map finds its first entry only behind all that went before it; no
  // longer, for it keeps alive what the Map has outgrown.
  let hand: MapIterator<Entry<T>> | undefined
  let still = 0

  function remove(entry: Entry<T>) {
    entries.delete(entry.key)
    totals.bytes -= entry.bytes
    for (const tag of entry.tags) {
      const of = tagged.get(tag)
      of?.delete(entry)
      if (of?.size === 0) tagged.delete(tag)
    }
  }

  function makeRoom() {
    still = 0
    while (entries.size > maxEntries || totals.bytes > maxBytes) {
      hand ??= entries.values()
      const { value: entry } = hand.next()
      if (!entry) hand = undefined
      else if (entry.used) {
        entry.used = false
        entries.delete(entry.key)
        entries.set(entry.key, entry) // behind the hand, which meets it again
      } else {
        remove(entry)
        totals.evicted += 1
      }
    }
  }

  return {
    entries,
    totals,
    put(entry: Entry<T>): void {
      const before = entries.get(entry.key)
      if (before) {
        if (before.version > entry.version) return
        remove(before)
      }
      entries.set(entry.key, entry)
      totals.bytes += entry.bytes
      for (const tag of entry.tags) {
        const of = tagged.get(tag)
        if (of) of.add(entry)
        else tagged.set(tag, new Set([entry]))
      }
      if (entries.size > maxEntries || totals.bytes > maxBytes) makeRoom()
      else if (hand && (still += 1) === STILL) hand = undefined
    },
    /** Forgets the key if what is kept is older than n. */
    drop(key: string, n: number): void {
      const entry = entries.get(key)
      if (entry && entry.version < n) remove(entry)
    },
    /** What is kept of the keys or tags and is older than n. */
    olderThan(n: number, { keys = [], tags = [] }: { keys?: string[]; tags?: string[] }) {
      const found = new Set<Entry<T>>()
      for (const key of keys) {
        const entry = entries.get(key)
        if (entry && entry.version < n) found.add(entry)
      }
      for (const tag of tags) {
        for (const entry of tagged.get(tag) ?? []) if (entry.version < n) found.add(entry)
      }
      return found
    },
    remove,
    clear(n: number): void {
      for (const entry of entries.values()) if (entry.version < n) remove(entry)
    },
  }
}
