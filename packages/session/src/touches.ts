import { repeat } from '@repo/concurrency'
import type { DatabaseConnection } from '@repo/database'
import type { ConnectionLog } from '@repo/redis'
import type { Live } from './lookup/session-record.ts'

/** Seen again within this time, a session is not written again. */
const REST_MS = 60_000
/** Sessions noted between two writes: beyond it the rest is noted next time. */
const MAX_NOTED = 50_000

export interface TouchesOptions {
  database: DatabaseConnection
  /** For how long a session lives on when it is not used. */
  idleMs: number
  /** For how long at most since it was made. */
  lifetimeMs: number
  everyMs?: number
  onSeen: (userId: string) => void
  log?: ConnectionLog | undefined
}

/**
 * When sessions were last seen, in one statement for all of them. It only moves forward, and only
 * rows that are there: a session that was revoked meanwhile stays so. Rows that somebody else is
 * changing are left to the next time, so that instances cannot lock each other out. A session that
 * was made for a shorter time ("do not remember me": a day) is not prolonged.
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
               and last_seen_at < now() - interval '${REST_MS} ms'
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

  /** @throws what PostgreSQL answers; the sessions are then written with the next turn */
  async function flush(): Promise<void> {
    const nowMs = performance.now()
    const ids = due
    due = []
    for (const [id, atMs] of noted) {
      if (nowMs - atMs < REST_MS) break
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
