import { createBulkhead } from '@repo/concurrency'
import type { DatabaseConnection } from '@repo/database'
import { SessionError } from '../errors.ts'
import type { Counters } from '../metrics/counters.ts'
import type { DatabaseClock } from './database-clock.ts'
import { boundEmail, boundName } from './session-record.ts'
import type { SessionRecord } from './session-record.ts'

/** The number of queries at a time (S7), so that a cold cache does not occupy the whole pool. */
const WIDTH = 20
const MAX_WAIT_MS = 200

interface LiveRow {
  id: string
  created_ms: number
  expires_ms: number
  now_ms: number
  user_id: string
  name: string
  email: string
  role: string
  /** Absent or null unless an administrator acts for the user. */
  actor?: { id: string; name: string | null } | null
}

interface TombstoneRow extends LiveRow {
  reason: 'revoked' | 'banned' | 'deleted' | 'rotated'
  session_id: string
  /** The end of the grace of the token before the last rotation; null for an older token. */
  grace_ms: number | null
}

export interface PostgresLookupOptions {
  database: DatabaseConnection
  clock: DatabaseClock
  counters: Counters
  lifetimeMs: number
  graceMs: number
  /** Runs when a token is used that was replaced longer ago than parallel requests take. */
  onReuse: (sessionId: string) => Promise<void>
}

/**
 * Looks a token up in PostgreSQL, which has the truth. The statements are named, so that each connection
 * plans them once.
 */
export function createPostgresLookup(options: PostgresLookupOptions) {
  const { database, clock, counters, graceMs } = options
  const bulkhead = createBulkhead({
    width: WIDTH,
    maxWaitMs: MAX_WAIT_MS,
    createError: () =>
      new SessionError('overloaded', `no turn to query PostgreSQL within ${MAX_WAIT_MS} ms`),
  })
  const columns = `s.id, u.id as user_id, u.name, u.email, u.role,
    extract(epoch from s.created_at)::float8 * 1000 as created_ms,
    extract(epoch from least(s.expires_at, s.created_at + interval '${options.lifetimeMs} ms'))::float8 * 1000
      as expires_ms,
    extract(epoch from now())::float8 * 1000 as now_ms`
  const actor = `case when s.impersonated_by is not null then jsonb_build_object('id', s.impersonated_by,
    'name', (select name from "user" where id = s.impersonated_by)) end as actor`
  const byToken = {
    name: 'session-by-token',
    text: `select ${columns} from session s join "user" u on u.id = s.user_id
           where s.token = $1 and s.impersonated_by is null
             and (not u.banned or u.ban_expires <= now())`,
  }
  // A separate query: one more column would make the query of every other session slower.
  const byImpersonation = {
    name: 'session-by-impersonation',
    text: `select ${columns}, ${actor} from session s join "user" u on u.id = s.user_id
           where s.token = $1 and s.impersonated_by is not null
             and (not u.banned or u.ban_expires <= now())`,
  }
  const byTombstone = {
    name: 'session-tombstone',
    text: `select t.reason, t.session_id, ${columns}, ${actor},
             case when s.previous_key = t.key
               then extract(epoch from t.at)::float8 * 1000 + ${graceMs} end as grace_ms
           from session_tombstone t
           left join session s on s.id = t.session_id left join "user" u on u.id = s.user_id
           where t.key = $1`,
  }

  async function query<R extends LiveRow>(
    statement: { name: string; text: string },
    value: string,
  ) {
    const sentAtMs = performance.now()
    const { rows } = await database.pool.query<R>({ ...statement, values: [value] })
    const [row] = rows
    if (row) clock.observe(row.now_ms, sentAtMs)
    return row
  }

  async function findEnded(key: string): Promise<SessionRecord | undefined> {
    const row = await query<TombstoneRow>(byTombstone, key)
    if (!row) return undefined
    if (row.reason === 'banned') counters.banned += 1
    if (row.reason === 'deleted') counters.deleted += 1
    if (row.reason !== 'rotated' || row.id === null) return { state: 'gone' }
    if (row.grace_ms !== null && row.now_ms < row.grace_ms) return toRecord(row, row.grace_ms)
    await options.onReuse(row.session_id)
    return { state: 'gone' }
  }

  /**
   * Returns undefined for a token that no session ever had.
   *
   * @throws an error for which `isDatabaseUnavailable` is true; SessionError `overloaded`
   */
  async function find(key: string, token: string): Promise<SessionRecord | undefined> {
    return bulkhead(async () => {
      counters.queries += 1
      const ordinary = await query<LiveRow>(byToken, token)
      const row = ordinary ?? (await query<LiveRow>(byImpersonation, token))
      return row ? toRecord(row, row.expires_ms) : findEnded(key)
    })
  }

  // Each connection prepares these statements before the first check.
  const statements = [byToken, byTombstone].map((each) => ({ ...each, values: [''] }))
  return { find, statements }
}

function toRecord(row: LiveRow, validUntilMs: number): SessionRecord {
  const untilMs = Math.min(validUntilMs, row.expires_ms)
  if (untilMs <= row.now_ms) return { state: 'expired' }
  const { id, role } = row
  const session = { id, createdAt: new Date(row.created_ms), expiresAt: new Date(row.expires_ms) }
  const user = { id: row.user_id, name: boundName(row.name), email: boundEmail(row.email), role }
  const until = new Date(untilMs)
  if (!row.actor) return { state: 'live', session, user, until }
  const actor = { id: row.actor.id, name: boundName(row.actor.name ?? '') }
  return { state: 'live', session, user, actor, until }
}
