import { type Bus, type Cache, createCache } from '@repo/cache-broadcast'
import {
  type BackgroundLog,
  createFlight,
  createSingleFlight,
  type Flight,
  runInBackground,
} from '@repo/concurrency'
import { DatabaseUnavailableError } from '@repo/database'
import { type SessionRecord, parseRecord, userTag } from './session-record.ts'

/** The name of the cache, which the triggers of the database use too. */
export const CACHE = 'session'

export interface CachedLookupOptions {
  /** Without a bus every check queries PostgreSQL. */
  bus: Bus | undefined
  find: (key: string, token: string) => Promise<SessionRecord | undefined>
  ttlMs: number
  maxEntries: number
  log?: BackgroundLog | undefined
}

export interface Lookup {
  record: SessionRecord | undefined
  tier: 'redis' | 'database'
}

/** A token that callers look up: the cache has its key only. */
interface Pending {
  token: string
  callers: number
  isLoaded: boolean
}

interface Query extends Flight<SessionRecord | undefined> {
  readonly token: string
}

/** Looks a token up in memory, in Redis, or in PostgreSQL. */
export function createCachedLookup({ bus, find, ttlMs, maxEntries, log }: CachedLookupOptions) {
  const pending = new Map<string, Pending>()
  const queries = createSingleFlight<SessionRecord | undefined, string, Query>({
    create: (key, token) => ({ ...createFlight<SessionRecord | undefined>(key), token }),
    start: ({ key, token }) => find(key, token),
    // A caller that waited for one deadline does not wait for another.
    isErrorShared: (error) => error instanceof DatabaseUnavailableError,
  })
  const cache: Cache<SessionRecord> | undefined =
    bus &&
    createCache<SessionRecord>({
      bus,
      name: CACHE,
      parse: parseRecord,
      tags: tagsOf,
      ttlMs,
      maxEntries,
      loadTimeoutMs: 2_500,
      async load(key) {
        const lookup = pending.get(key)
        // A caller that starts a load waits for it.
        if (!lookup) throw new TypeError('a session was loaded without a caller')
        lookup.isLoaded = true
        return find(key, lookup.token)
      },
    })

  async function readDirect(key: string, token: string): Promise<Lookup> {
    return { record: await queries.joinLater(key, token), tier: 'database' }
  }

  return {
    cache,
    /** The record in memory, while this process receives the messages of the bus. */
    peek: (key: string) => cache?.peek(key),
    /** Reads PostgreSQL by a query that starts after the call (S7). */
    readDirect,
    async read(key: string, token: string): Promise<Lookup> {
      if (!cache) return readDirect(key, token)
      const lookup = pending.get(key) ?? { token, callers: 0, isLoaded: false }
      pending.set(key, lookup)
      lookup.callers += 1
      try {
        const record = await cache.get(key)
        return { record, tier: lookup.isLoaded ? 'database' : 'redis' }
      } finally {
        lookup.callers -= 1
        if (lookup.callers === 0) pending.delete(key)
      }
    },
    /** The cached session has expired, or was prolonged since. Only PostgreSQL has the answer. */
    async reread(key: string, token: string): Promise<Lookup> {
      // While Redis is unavailable its record stays expired, and each check reads PostgreSQL.
      runInBackground('session.reread', () => cache?.invalidate(key), log)
      return readDirect(key, token)
    },
    close: () => cache?.close(),
  }
}

export type CachedLookup = ReturnType<typeof createCachedLookup>

function tagsOf(record: SessionRecord): string[] {
  if (record.state !== 'live') return []
  const { user, actor } = record
  return actor ? [userTag(user.id), userTag(actor.id)] : [userTag(user.id)]
}
