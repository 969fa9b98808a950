import { type Bus, type Cache, createCache } from '@repo/cache-broadcast'
import { createBulkhead, createFlight, createSingleFlight } from '@repo/concurrency'
import { type DatabaseConnection, DatabaseUnavailableError } from '@repo/database'
import type { Identity } from '@repo/service'
import { boundEmail, boundName, type Sessions } from '@repo/session'
import { z } from 'zod'
import { KeyError } from './errors.ts'

/** The name of the cache, which the triggers of the database use too. */
const CACHE = 'api-key'
/** The number of queries at a time, so that unknown keys cannot occupy the pool (K5). */
const WIDTH = 4
const MAX_WAIT_MS = 200

// Read-only from the start: the cache does not walk through a frozen value.
const record = z
  .object({
    id: z.string(),
    name: z.string(),
    hash: z.string(),
    scopes: z.array(z.string()).readonly(),
    userId: z.string(),
    userName: z.string().transform(boundName),
    email: z.string().transform(boundEmail),
    /** By the clock of the database; null: the key does not expire. */
    expiresMs: z.number().nullable(),
    /** Revoked by the user or by a ban. */
    isRevoked: z.boolean(),
  })
  .readonly()

/** A key as PostgreSQL stores it, and as the instances cache it. It has no secret. */
export type KeyRecord = z.infer<typeof record>

/**
 * The identity of the caller with a key. It never has the rights of an administrator. The gateway has
 * compared the scopes already: an upstream of the release before ignores them.
 */
export function identityOf({ id, scopes, userId, email }: KeyRecord): Identity {
  return { userId, email, role: 'user', sessionId: `key:${id}`, key: { id, scopes } }
}

type Row = KeyRecord & { nowMs: number }

const BY_ID = {
  name: 'api-key-by-id',
  text: `select k.id, k.name, k.hash, k.scopes, u.id as "userId", u.name as "userName", u.email,
           extract(epoch from k.expires_at)::float8 * 1000 as "expiresMs",
           k.revoked_at is not null or ban_in_force(u.banned, u.ban_expires) as "isRevoked",
           extract(epoch from now())::float8 * 1000 as "nowMs"
         from api_key k join "user" u on u.id = k.user_id where k.id = $1`,
}

export interface KeyRecordsOptions {
  bus: Bus
  database: DatabaseConnection
  sessions: Pick<Sessions, 'clock'>
}

/**
 * Keys by id, in memory, in Redis and in PostgreSQL, which has the truth. The absence of a key is
 * cached too. The triggers of the database invalidate a record in the transaction of its change.
 */
export function createKeyRecords({ bus, database, sessions: { clock } }: KeyRecordsOptions) {
  const loaded = new Set<string>()
  const bulkhead = createBulkhead({
    width: WIDTH,
    maxWaitMs: MAX_WAIT_MS,
    createError: () => new KeyError(`no turn to query PostgreSQL within ${MAX_WAIT_MS} ms`),
  })

  /** @throws an error for which `isDatabaseUnavailable` is true; KeyError */
  function query(id: string): Promise<KeyRecord | undefined> {
    return bulkhead(async () => {
      const sentAtMs = performance.now()
      const { rows } = await database.pool.query<Row>({ ...BY_ID, values: [id] })
      const [row] = rows
      if (!row) return undefined
      clock.observe(row.nowMs, sentAtMs)
      return record.parse(row)
    })
  }

  const queries = createSingleFlight<KeyRecord | undefined>({
    create: (id) => createFlight(id),
    start: ({ key }) => query(key),
    // A caller that waited for one deadline does not wait for another.
    isErrorShared: (error) => error instanceof DatabaseUnavailableError,
  })

  const cache: Cache<KeyRecord> = createCache<KeyRecord>({
    bus,
    name: CACHE,
    parse: (stored) => record.parse(stored),
    tags: ({ userId }) => [`user:${userId}`],
    ttlMs: 300_000,
    // An id has 62 random bits: no caller has it before its key exists.
    negativeTtlMs: 60_000,
    loadTimeoutMs: 2_500,
    async load(id) {
      loaded.add(id)
      return query(id)
    },
  })

  return {
    cache,
    /** The record in memory, while this process receives the messages of the bus. */
    peek: (id: string) => cache.peek(id),
    /** Reads memory, Redis or PostgreSQL. `isLoaded`: PostgreSQL was read for this call. */
    async read(id: string): Promise<{ found: KeyRecord | undefined; isLoaded: boolean }> {
      try {
        const found = await cache.get(id)
        return { found, isLoaded: loaded.has(id) }
      } finally {
        loaded.delete(id)
      }
    },
    /** Reads PostgreSQL by a query that starts after the call (K2). */
    readDirect: async (id: string) => ({
      found: await queries.joinLater(id, undefined),
      isLoaded: true,
    }),
  }
}
