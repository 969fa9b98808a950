import { type BackgroundLog, repeat } from '@repo/concurrency'
import type { DatabaseConnection } from '@repo/database'
import type { Sessions } from '@repo/session'

/** A key is written at most once in this time, by all instances together. */
const PAUSE_MS = 60_000
/** The maximum of keys between two writes. Further keys are noted after the next write. */
const MAX_NOTED = 50_000

interface Use {
  atMs: number
  /** The use that was written last, and when; by the clock of the database. */
  writtenMs: number
  sentAtMs: number
}

export interface KeyUsesOptions {
  database: DatabaseConnection
  sessions: Pick<Sessions, 'clock'>
  everyMs?: number | undefined
  log?: BackgroundLog | undefined
}

/**
 * Writes the times at which keys were last used, in one statement for all of them. A time only moves
 * forward, by a minute at least. Rows that another transaction locks are left for a later use, so that
 * instances cannot block each other (K6).
 */
export function createKeyUses(options: KeyUsesOptions) {
  const { database, everyMs = 5_000, log } = options
  const { clock } = options.sessions
  const uses = new Map<string, Use>()
  let isLast = false

  const write = {
    name: 'api-key-uses',
    text: `with used as (
             select k.id, least(to_timestamp(noted.ms / 1000), clock_timestamp()) as at
             from unnest($1::text[], $2::float8[]) as noted (id, ms) join api_key k on k.id = noted.id
             where k.last_used_at is null
               or k.last_used_at <= to_timestamp(noted.ms / 1000) - interval '${PAUSE_MS} ms'
             order by k.id for no key update of k skip locked
           )
           update api_key k set last_used_at = used.at from used where k.id = used.id`,
  }

  /** @throws the error of PostgreSQL; the next turn then writes the same keys */
  async function flush(): Promise<void> {
    const nowMs = clock.nowMs()
    const due: [id: string, use: Use, atMs: number][] = []
    for (const [id, use] of uses) {
      if (!isLast && nowMs - use.sentAtMs < PAUSE_MS) continue
      if (use.atMs === use.writtenMs) uses.delete(id)
      else due.push([id, use, use.atMs])
    }
    if (due.length === 0) return
    const values = [due.map(([id]) => id), due.map(([, , atMs]) => atMs)]
    await database.pool.query({ ...write, values })
    for (const [, use, atMs] of due) {
      use.writtenMs = atMs
      use.sentAtMs = nowMs
    }
  }

  const flushing = repeat({ task: 'api-key.use', work: flush, everyMs, log })

  return {
    note(id: string): void {
      const use = uses.get(id)
      if (use) use.atMs = clock.nowMs()
      else if (uses.size < MAX_NOTED) {
        const never = Number.NEGATIVE_INFINITY
        uses.set(id, { atMs: clock.nowMs(), writtenMs: never, sentAtMs: never })
      }
    },
    flush: () => flushing.run(),
    /** Writes the rest. A failure is logged and counted, and the times of the last minute are lost. */
    async close(): Promise<void> {
      await flushing.close()
      isLast = true
      await flushing.run()
    },
  }
}
