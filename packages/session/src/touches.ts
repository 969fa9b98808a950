import { repeat } from '@repo/concurrency'
import type { DatabaseConnection } from '@repo/database'
import type { ConnectionLog } from '@repo/redis'
import type { Live } from './lookup/session-record.ts'

/** A session is written at most once in this time. */
const PAUSE_MS = 60_000
/** The maximum of sessions between two writes. Further sessions are noted after the next write. */
const MAX_NOTED = 50_000

export interface TouchesOptions {
  database: DatabaseConnection
  /** The time after which an unused session expires. */
  idleMs: number
  /** The longest lifetime of a session. */
  lifetimeMs: number
  everyMs?: number
  onSeen: (userId: string) => void
  log?: ConnectionLog | undefined
}

/**
 * Writes the last-seen times of sessions, in one statement for all of them. A time only moves forward,
 * and only in an existing row, so a revoked session stays revoked (S5). Rows that another transaction
 * locks are left for the next turn, so that instances cannot block each other. A session with a shorter
 * lifetime (the sign-in option for a day) is not prolonged.
 */
export function createTouches(options: TouchesOptions) {
  const { database, idleMs, lifetimeMs, everyMs = 30_000, onSeen, log } = options
  const noted = new Map<string, number>()
  let due: string[] = []
  let pruneAtMs = performance.now() + 3_600_000

  const touch = {
    name: 'session-touch',
    text: `with due as (
             select id from session
             where id = any($1) and expires_at > now() and impersonated_by is null
               and last_seen_at < now() - interval '${PAUSE_MS} ms'
             order by id for no key update skip locked
           )
           update session s set last_seen_at = now(),
             expires_at = case when s.expires_at - s.created_at < interval '${idleMs / 2} ms'
               then s.expires_at
               else greatest(s.expires_at, least(
                 now() + interval '${idleMs} ms', s.created_at + interval '${lifetimeMs} ms')) end
           from due where s.id = due.id`,
  }
  const prune = {
    name: 'session-prune',
    text: `delete from session_tombstone where key in (
             select key from session_tombstone where at < now() - interval '${lifetimeMs} ms'
             limit 10000 for update skip locked)`,
  }

  /** @throws the error of PostgreSQL; the next turn then writes the same sessions */
  async function flush(): Promise<void> {
    const nowMs = performance.now()
    const ids = due
    due = []
    for (const [id, atMs] of noted) {
      if (nowMs - atMs < PAUSE_MS) break
      noted.delete(id)
    }
    try {
      if (ids.length > 0) await database.pool.query({ ...touch, values: [ids] })
    } catch (error) {
      due = [...ids, ...due].slice(0, MAX_NOTED)
      throw error
    }
    if (nowMs < pruneAtMs) return
    pruneAtMs = nowMs + 3_600_000
    await database.pool.query(prune)
  }

  const flushing = repeat({ task: 'session.touch', work: flush, everyMs, log })

  return {
    note({ session, user }: Live): void {
      if (noted.has(session.id) || noted.size >= MAX_NOTED) return
      noted.set(session.id, performance.now())
      due.push(session.id)
      onSeen(user.id)
    },
    flush: () => flushing.run(),
    async close(): Promise<void> {
      await flushing.close()
      await flushing.run()
    },
  }
}
