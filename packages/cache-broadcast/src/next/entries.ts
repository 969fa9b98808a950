import { createHash } from 'node:crypto'
import { MAX_LIFE_MS } from '../bus/invalidations.ts'
import type { Clock, Lease } from '../bus/lease.ts'
import type { Sink } from '../bus/types.ts'
import { decodeValue, encodeRest, encodeValue } from '../cache/codec.ts'
import type { Entry, MemoryLevel, Tickets } from '../cache/memory-level.ts'
import type { Store } from '../cache/types.ts'
import { CacheError } from '../errors.ts'
import { checkTagsOfValue } from '../input.ts'

/** An entry of Next (next/cache, `CacheEntry`); times in s, but `timestamp` in ms. */
export interface NextEntry {
  value: ReadableStream<Uint8Array>
  tags: string[]
  stale: number
  timestamp: number
  expire: number
  revalidate: number
}

/** An entry in memory: its bytes, and its fields without the stream. */
export interface StoredEntry {
  entry: Omit<NextEntry, 'value'>
  body: Uint8Array
}

export interface FoundEntry extends StoredEntry {
  /** -1: one of its tags is no longer fresh. Next serves the entry and renders it again. */
  revalidate: number
}

export interface NextState {
  clock: Clock
  lease: Lease
  memory: MemoryLevel<StoredEntry>
  tickets: Tickets
  positions: ReturnType<typeof createPositions>
  store: Store
}

/** Next checks ages itself: only a tag ends the freshness of a stored entry. */
const NEVER_MS = 9_999_999_999_999

/** Next allows 128 tags of an entry, and adds those of its path. */
const MAX_TAGS = 256
const HASH_PREFIX = 'sha256:'
/** The longest key that is not replaced by its hash, in UTF-16 units. */
const MAX_KEY_LENGTH = 170

/** Reads and writes the entries of Next in memory and in Redis. */
export function createNextEntries(open: () => NextState, maxValueBytes: number) {
  function writeToMemory(key: string, stored: StoredEntry, version: number, tags: string[]) {
    const { memory, clock } = open()
    const nowMs = clock.exact()
    const endsAtMs = nowMs + Math.min(stored.entry.expire * 1_000, MAX_LIFE_MS)
    const entry: Entry<StoredEntry> = {
      version,
      tags,
      endsAtMs,
      value: stored,
      promise: undefined,
      isUsed: false,
      freshUntilMs: endsAtMs,
      staleUntilMs: endsAtMs,
      bytes: stored.body.byteLength + key.length * 2 + 500,
    }
    memory.put(key, entry)
  }

  return {
    /**
     * Finds an entry in memory. Each of the soft tags must have been read with the entry, because this
     * process has received all invalidations of these tags since.
     */
    findInMemory(cacheKey: string, softTags: string[]): FoundEntry | undefined {
      const key = toKey(cacheKey)
      const { memory, clock, lease } = open()
      const entry = memory.entries.get(key)
      const nowMs = clock.exact()
      if (!entry?.value || nowMs >= lease.untilMs || nowMs >= entry.staleUntilMs) return undefined
      if (!softTags.every((tag) => entry.tags.includes(tag))) return undefined
      entry.isUsed = true
      const { revalidate } = entry.value.entry
      return { ...entry.value, revalidate: nowMs < entry.freshUntilMs ? revalidate : -1 }
    },

    async findInRedis(cacheKey: string, softTags: string[]): Promise<FoundEntry | undefined> {
      const key = toKey(cacheKey)
      checkTagsOfValue(softTags, MAX_TAGS)
      const { store, tickets } = open()
      const ticket = tickets.open(key)
      try {
        const { value } = await store.peek(key, softTags)
        const read = value === undefined ? undefined : decodeValue(value)
        const stored = read && toStored(read.text)
        if (!read || !stored) return undefined
        const isFresh = read.freshUntilMs > 0
        // I2: this request began before the invalidation that fenced it, so it may be served.
        if (isFresh && ticket.fence <= read.version) {
          const tags = [...new Set([...(read.tags ?? []), ...softTags])]
          writeToMemory(key, stored, read.version, tags)
        }
        return { ...stored, revalidate: isFresh ? stored.entry.revalidate : -1 }
      } finally {
        tickets.close(ticket)
      }
    },

    async store(cacheKey: string, { value, ...entry }: NextEntry): Promise<void> {
      const key = toKey(cacheKey)
      checkTagsOfValue(entry.tags, MAX_TAGS)
      checkTimes(entry)
      const { store, tickets, positions } = open()
      const ticket = tickets.open(key)
      try {
        const body = await readBody(value, maxValueBytes)
        if (entry.expire <= 0) return // each request renders it
        // The render began at its timestamp, by the clock of this process: it may lack later changes.
        const version = positions.at(entry.timestamp)
        const text = JSON.stringify({ ...entry, body: Buffer.from(body).toString('base64') })
        const isStored = await store.offer(key, {
          lifeMs: Math.ceil(Math.min(entry.expire * 1_000, MAX_LIFE_MS)),
          value: encodeValue(encodeRest(entry.tags, text), String(version), NEVER_MS),
        })
        if (isStored && ticket.fence <= version) {
          writeToMemory(key, { entry, body }, version, entry.tags)
        }
      } finally {
        tickets.close(ticket)
      }
    },
  }
}

/**
 * Whether Next would render the entry again: one of its tags was revalidated, or it is older than
 * `revalidate` (by the clocks that Next itself compares). Another instance may have rendered it.
 */
export function isDueForRenewal({ entry, revalidate }: FoundEntry): boolean {
  return revalidate < 0 || Date.now() >= entry.timestamp + revalidate * 1_000
}

/** @throws CacheError `too-large`, `unserialisable`; the error that interrupts the stream */
async function readBody(stream: unknown, maxBytes: number): Promise<Uint8Array> {
  if (!isStream(stream)) {
    throw new CacheError('unserialisable', 'the value of an entry of Next must be a ReadableStream')
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of stream) {
    if (!ArrayBuffer.isView(chunk)) {
      throw new CacheError('unserialisable', 'the stream of an entry of Next must contain bytes')
    }
    bytes += chunk.byteLength
    if (bytes > maxBytes) {
      throw new CacheError('too-large', `an entry of Next has more than ${maxBytes} bytes`)
    }
    chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
  }
  return new Uint8Array(Buffer.concat(chunks, bytes))
}

/** A new stream of the bytes, for one reader. */
export function streamOf(body: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(body)
      controller.close()
    },
  })
}

/** Also true for a stream of another realm, such as a sandbox of Next. */
function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

/**
 * The key of the cache for a key of Next. A long key, or one that is not well-formed, is replaced by
 * its hash, so that two different keys have two names.
 * @throws CacheError `bad-key`
 */
function toKey(cacheKey: unknown): string {
  if (typeof cacheKey !== 'string') throw new CacheError('bad-key', 'a key of Next must be text')
  const isShort = cacheKey.length > 0 && cacheKey.length <= MAX_KEY_LENGTH
  if (isShort && cacheKey.isWellFormed() && !cacheKey.startsWith(HASH_PREFIX)) return cacheKey
  return HASH_PREFIX + createHash('sha256').update(Buffer.from(cacheKey, 'utf16le')).digest('hex')
}

/** @throws CacheError `unserialisable` */
function checkTimes({ stale, timestamp, expire, revalidate }: Omit<NextEntry, 'value'>): void {
  for (const [name, time] of Object.entries({ stale, timestamp, expire, revalidate })) {
    if (typeof time === 'number' && time >= 0) continue
    throw new CacheError('unserialisable', `${name} of an entry of Next must be 0 or above`)
  }
}

/** Undefined for text that another release wrote in another form. */
function toStored(text: string): StoredEntry | undefined {
  const stored = parseJson(text)
  if (typeof stored !== 'object' || stored === null) return undefined
  const numberOf = (name: string): number => {
    const value: unknown = Reflect.get(stored, name)
    return typeof value === 'number' ? value : Number.NaN
  }
  const tags: unknown = Reflect.get(stored, 'tags')
  const body: unknown = Reflect.get(stored, 'body')
  if (!Array.isArray(tags) || typeof body !== 'string') return undefined
  const times = {
    stale: numberOf('stale'),
    timestamp: numberOf('timestamp'),
    expire: numberOf('expire'),
    revalidate: numberOf('revalidate'),
  }
  // An entry with a time that is not a number would never end.
  if (!Object.values(times).every((time) => Number.isFinite(time) && time >= 0)) return undefined
  return { entry: { tags: tags.map(String), ...times }, body: Buffer.from(body, 'base64') }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The number of changes that are recorded one by one. */
const MAX_CHANGES = 1_000

/**
 * Finds the number of the last entry of the log that this process had applied at a past time of its
 * clock. This is the version of a render that began then. Only changes that may invalidate an entry
 * are recorded.
 */
export function createPositions(applied: () => number) {
  const changes: { atMs: number; before: number }[] = []
  const sinceMs = wallClockMs()
  let last = applied()

  function record() {
    changes.push({ atMs: wallClockMs(), before: last })
    if (changes.length > MAX_CHANGES) changes.shift()
    last = applied()
  }

  return {
    at(ms: number): number {
      if (ms < sinceMs) return 0
      return changes.find(({ atMs }) => atMs >= ms)?.before ?? applied()
    },
    /** The same sink, whose changes are recorded. */
    recording(sink: Sink): Sink {
      return {
        ...sink,
        drop: (keys, n) => (record(), sink.drop(keys, n)),
        soften: (keys, n) => (record(), sink.soften(keys, n)),
        dropTags: (tags, n, isTagged) => (record(), sink.dropTags(tags, n, isTagged)),
        softenTags: (tags, n, isTagged, ms) => (record(), sink.softenTags(tags, n, isTagged, ms)),
        clear: (n) => (record(), sink.clear(n)),
      }
    },
  }
}

/** The time as Next stamps its entries. */
function wallClockMs(): number {
  return performance.timeOrigin + performance.now()
}
