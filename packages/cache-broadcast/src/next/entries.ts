import { createHash } from 'node:crypto'
import type { Tickets } from '../cache/fences.ts'
import type { Entry, LocalStore } from '../cache/memory-level.ts'
import { decodeValue, encodeRest, encodeValue } from '../cache/value.ts'
import type { Clock } from '../clock.ts'
import { CacheError } from '../errors.ts'
import { MAX_LIFE_MS } from '../invalidations.ts'
import type { Lease } from '../lease.ts'
import type { Store } from '../link.ts'
import { checkTagsOfValue } from '../names.ts'
import { readBody } from './body.ts'
import type { createPositions } from './positions.ts'

/** What Next stores (next/cache, `CacheEntry`); times in s, but `timestamp` in ms. */
export interface NextEntry {
  value: ReadableStream<Uint8Array>
  tags: string[]
  stale: number
  timestamp: number
  expire: number
  revalidate: number
}

/** An entry as it is kept: its bytes, and all but its stream. */
export interface StoredEntry {
  entry: Omit<NextEntry, 'value'>
  body: Uint8Array
}

export interface Found extends StoredEntry {
  /** -1: one of its tags is no longer fresh; Next serves it and makes it anew. */
  revalidate: number
}

export interface NextState {
  clock: Clock
  lease: Lease
  local: LocalStore<StoredEntry>
  tickets: Tickets
  positions: ReturnType<typeof createPositions>
  store: Store
}

/** Next judges ages itself: only tags end the freshness of what is stored. */
const NEVER_MS = 9_999_999_999_999

/** Next allows 128 tags of an entry, and adds those of its path. */
const MAX_TAGS = 256
const HASHED = 'sha256:'

/** Next's entries in both levels. */
export function createNextEntries(open: () => NextState, maxValueBytes: number) {
  function keep(key: string, stored: StoredEntry, version: number, tags: string[]) {
    const { local, clock } = open()
    const nowMs = clock.exact()
    const endsAtMs = nowMs + Math.min(stored.entry.expire * 1_000, MAX_LIFE_MS)
    const entry: Entry<StoredEntry> = {
      ...{ version, tags, endsAtMs, value: stored, promise: undefined, used: false },
      freshUntilMs: endsAtMs,
      staleUntilMs: endsAtMs,
      bytes: stored.body.byteLength + key.length * 2 + 500,
    }
    local.put(key, entry)
  }

  return {
    /** Only if it was judged by all these soft tags before: news of them has come here since. */
    local(cacheKey: string, softTags: string[]): Found | undefined {
      const key = keyOf(cacheKey)
      const { local, clock, lease } = open()
      const kept = local.entries.get(key)
      const nowMs = clock.exact()
      if (!kept?.value || nowMs >= lease.untilMs || nowMs >= kept.staleUntilMs) return undefined
      if (!softTags.every((tag) => kept.tags.includes(tag))) return undefined
      kept.used = true
      const { revalidate } = kept.value.entry
      return { ...kept.value, revalidate: nowMs < kept.freshUntilMs ? revalidate : -1 }
    },

    async remote(cacheKey: string, softTags: string[]): Promise<Found | undefined> {
      const key = keyOf(cacheKey)
      checkTagsOfValue(softTags, MAX_TAGS)
      const { store, tickets } = open()
      const ticket = tickets.open(key)
      try {
        const { value } = await store.peek(key, softTags)
        const read = value === undefined ? undefined : decodeValue(value)
        const stored = read && toStored(read.text)
        if (!read || !stored) return undefined
        const fresh = read.freshUntilMs > 0
        // I2: overtaken by news, it may be served to this request, which began before.
        if (fresh && ticket.fence <= read.version) {
          keep(key, stored, read.version, [...new Set([...(read.tags ?? []), ...softTags])])
        }
        return { ...stored, revalidate: fresh ? stored.entry.revalidate : -1 }
      } finally {
        tickets.close(ticket)
      }
    },

    async store(cacheKey: string, { value, ...entry }: NextEntry): Promise<void> {
      const key = keyOf(cacheKey)
      checkTagsOfValue(entry.tags, MAX_TAGS)
      checkTimes(entry)
      const { store, tickets, positions } = open()
      const ticket = tickets.open(key)
      try {
        const body = await readBody(value, maxValueBytes)
        if (entry.expire <= 0) return // made anew by every request
        // Begun at its timestamp, by this process's clock: what came later may not be in it.
        const version = positions.at(entry.timestamp)
        const text = JSON.stringify({ ...entry, body: Buffer.from(body).toString('base64') })
        const stored = await store.offer(key, {
          lifeMs: Math.ceil(Math.min(entry.expire * 1_000, MAX_LIFE_MS)),
          value: encodeValue(encodeRest(entry.tags, text), String(version), NEVER_MS),
        })
        if (stored && ticket.fence <= version) keep(key, { entry, body }, version, entry.tags)
      } finally {
        tickets.close(ticket)
      }
    },
  }
}

/**
 * Whether Next would make the entry again: one of its tags was revalidated, or its age is over
 * `revalidate` (by the clocks that Next itself compares). Another instance may have done so already.
 */
export function isDueForRenewal({ entry, revalidate }: Found): boolean {
  return revalidate < 0 || Date.now() >= entry.timestamp + revalidate * 1_000
}

/**
 * A key of Next as a key of the cache. A long one, or one that is not well-formed, is replaced by its
 * hash, so that two different keys have two names.
 * @throws CacheError `bad-key`
 */
function keyOf(cacheKey: unknown): string {
  if (typeof cacheKey !== 'string') throw new CacheError('bad-key', 'a key of Next is text')
  const isShort = cacheKey.length > 0 && cacheKey.length <= 170
  if (isShort && cacheKey.isWellFormed() && !cacheKey.startsWith(HASHED)) return cacheKey
  return HASHED + createHash('sha256').update(Buffer.from(cacheKey, 'utf16le')).digest('hex')
}

/** @throws CacheError `unserialisable` */
function checkTimes({ stale, timestamp, expire, revalidate }: Omit<NextEntry, 'value'>): void {
  for (const [name, time] of Object.entries({ stale, timestamp, expire, revalidate })) {
    if (typeof time === 'number' && time >= 0) continue
    throw new CacheError('unserialisable', `${name} of an entry of Next is no time`)
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
  // An entry with a time that is no number would never end.
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
