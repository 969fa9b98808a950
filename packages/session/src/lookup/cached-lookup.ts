import { type Bus, type Cache, createCache } from '@repo/cache-broadcast'
import {
  type BackgroundLog,
  createFlight,
  createSingleFlight,
  type Flight,
  runInBackground,
} from '@repo/concurrency'
import { DatabaseUnavailableError } from '@repo/database'
import { type Known, parseKnown, userTag } from './session-record.ts'

/** The name under which the database's triggers invalidate sessions. */
export const CACHE = 'session'

export interface ReaderOptions {
  /** Without it every check asks PostgreSQL. */
  bus: Bus | undefined
  find: (key: string, token: string) => Promise<Known | undefined>
  ttlMs: number
  maxEntries: number
  log?: BackgroundLog | undefined
}

export interface Reading {
  known: Known | undefined
  tier: 'redis' | 'database'
}

/** A token that is asked for: the cache knows its key only. */
interface Asked {
  token: string
  by: number
  loaded: boolean
}

interface Lookup extends Flight<Known | undefined> {
  readonly token: string
}

/** What is known of a token: in memory, in Redis, or in PostgreSQL. */
export function createReader({ bus, find, ttlMs, maxEntries, log }: ReaderOptions) {
  const asked = new Map<string, Asked>()
  const lookups = createSingleFlight<Known | undefined, string, Lookup>({
    create: (key, token) => ({ ...createFlight<Known | undefined>(key), token }),
    start: ({ key, token }) => find(key, token),
    // A caller that has waited for one deadline does not wait for another.
    isErrorShared: (error) => error instanceof DatabaseUnavailableError,
  })
  const cache: Cache<Known> | undefined =
    bus &&
    createCache<Known>({
      bus,
      name: CACHE,
      parse: parseKnown,
      tags: tagsOf,
      ...{ ttlMs, maxEntries, loadTimeoutMs: 2_500 },
      async load(key) {
        const asking = asked.get(key)
        // Who starts a load waits for it.
        if (!asking) throw new TypeError('a session was loaded that nobody asked for')
        asking.loaded = true
        return find(key, asking.token)
      },
    })

  async function readDirect(key: string, token: string): Promise<Reading> {
    return { known: await lookups.joinLater(key, token), tier: 'database' }
  }

  return {
    cache,
    /** What this process keeps, while it hears the bus. */
    peek: (key: string) => cache?.peek(key),
    /** From PostgreSQL, by a query that starts after the call. */
    readDirect,
    async read(key: string, token: string): Promise<Reading> {
      if (!cache) return readDirect(key, token)
      const asking = asked.get(key) ?? { token, by: 0, loaded: false }
      asked.set(key, asking)
      asking.by += 1
      try {
        const known = await cache.get(key)
        return { known, tier: asking.loaded ? 'database' : 'redis' }
      } finally {
        asking.by -= 1
        if (asking.by === 0) asked.delete(key)
      }
    },
    /** What is kept is over by now, or was prolonged meanwhile: only PostgreSQL can say. */
    async reread(key: string, token: string): Promise<Reading> {
      // Without Redis what is kept there stays over, and is read anew each time.
      runInBackground('session.reread', () => cache?.invalidate(key), log)
      return readDirect(key, token)
    },
    close: () => cache?.close(),
  }
}

export type Reader = ReturnType<typeof createReader>

function tagsOf(known: Known): string[] {
  if (known.state !== 'live') return []
  const { user, actor } = known
  return actor ? [userTag(user.id), userTag(actor.id)] : [userTag(user.id)]
}
