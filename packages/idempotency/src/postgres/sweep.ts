import { type BackgroundLog, repeat } from '@repo/concurrency'
import type { Database } from '@repo/database'
import { IdempotencyError } from '../errors.ts'
import type { IdempotencyStore } from '../store.ts'
import { execute } from './rows.ts'
import { SWEEP } from './statements.ts'

/** The number of the advisory lock of a batch: a constant that no other program uses. */
const LOCK = 3_333_334

/**
 * Deletes at most `limit` expired rows, the oldest first. Returns their number; 0 while another call
 * deletes.
 */
export async function sweepRows(db: Database, limit: number): Promise<number> {
  const [row] = await execute<{ deleted: number }>(db, SWEEP, [limit, LOCK])
  return row?.deleted ?? 0
}

/** Options of `createSweeper`. */
export interface SweeperOptions {
  /** A store in PostgreSQL, alone or in a tiered store. */
  readonly store: Pick<IdempotencyStore, 'sweep'>
  /** The time between two turns, in ms. */
  readonly everyMs?: number
  /** The rows of one batch. */
  readonly limit?: number
  readonly log?: BackgroundLog | undefined
}

/** Deletes expired rows while it is open. */
export interface Sweeper {
  /** Deletes expired rows now, until none is left or another instance deletes. Never rejects. */
  run(): Promise<void>
  /** Stops after the batch in progress. */
  close(): Promise<void>
}

/**
 * Deletes expired rows in batches, on every instance that creates it. An expired row counts as absent
 * before it is deleted, so a late turn changes no decision.
 *
 * The lease is an advisory lock of each batch, which is one statement: two instances never delete at
 * once, and no process can hold the lock. One that pauses or dies during a batch leaves the statement
 * to the server, which completes it or rolls it back. A lease in Redis or in a row would outlive its
 * holder, and would not make a batch safer.
 *
 * @throws IdempotencyError `bad-option`
 */
export function createSweeper(options: SweeperOptions): Sweeper {
  const { store, everyMs = 60_000, limit = 1_000, log } = options
  if (!store.sweep) throw new IdempotencyError('bad-option', 'store must have rows in PostgreSQL')
  if (!Number.isInteger(limit) || limit < 1) {
    throw new IdempotencyError('bad-option', 'limit must be a whole number of at least 1')
  }
  const closing = new AbortController()

  async function sweep(): Promise<void> {
    let deleted: number | undefined = limit
    while (deleted === limit && !closing.signal.aborted) deleted = await store.sweep?.(limit)
  }

  const turns = repeat({ task: 'idempotency.sweep', work: sweep, everyMs, log })
  return {
    run: () => turns.run(),
    async close() {
      closing.abort()
      await turns.close()
    },
  }
}
