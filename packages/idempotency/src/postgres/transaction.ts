import { type Database, isDatabaseUnavailable } from '@repo/database'
import type { PgTransactionConfig } from 'drizzle-orm/pg-core'
import { IdempotencyError } from '../errors.ts'
import type { Begun, Claim, Completed, Transaction } from '../store.ts'
import {
  execute,
  findRow,
  type Found,
  parametersOf,
  requireRecord,
  ROLLBACK,
  settleRow,
  storeRow,
  toStoreError,
} from './rows.ts'
import { LOCK, type Takes } from './statements.ts'

/** The longest wait for a transaction that may still commit, when its outcome is unknown, in ms. */
export const SETTLE_MS = 1_000

/** The result of work, and the record that is stored with it. */
export interface Work<T> {
  readonly record: Buffer
  readonly result: T
}

/** Nothing of the transaction was committed. */
export type Refused =
  | Exclude<Completed, { outcome: 'stored' | 'healed' }>
  | Extract<Begun, { outcome: 'pending' | 'mismatch' }>

export interface TransactionOptions {
  readonly db: Database
  readonly takes: Takes
  /** Whether the transaction claims the request by a lock; otherwise it was claimed before. */
  readonly isLocking: boolean
}

/**
 * Runs work in a transaction and stores its record as the last statement. The primary key decides
 * between two attempts: the second one waits for the end of the first, and then is rolled back. The
 * record is written once, so that the row of a request without a claim in PostgreSQL is one insert.
 *
 * A commit whose reply was lost is not answered before its outcome is read.
 *
 * @throws the error of the work, after a rollback; IdempotencyError `unavailable`, `defect`
 */
export async function runInTransaction<T>(
  { db, takes, isLocking }: TransactionOptions,
  claim: Claim,
  { leaseMs, ttlMs }: { readonly leaseMs: number; readonly ttlMs: number },
  work: (tx: Transaction) => Promise<Work<T>>,
): Promise<Committed<T> | Refused> {
  const progress: Progress<T> = { phase: 'begin' }

  async function run(tx: Transaction): Promise<Committed<T>> {
    if (isLocking) {
      progress.refused = await lock(tx, claim, leaseMs)
      if (progress.refused) throw ROLLBACK
    }
    progress.phase = 'work'
    const { record, result } = await work(tx)
    progress.phase = 'store'
    if (!(await storeRow(tx, claim, { record, ttlMs, takes }))) throw ROLLBACK
    progress.committing = { outcome: 'committed', result }
    return progress.committing
  }

  try {
    return await db.transaction(run, beginWith(leaseMs))
  } catch (error) {
    if (progress.refused) return progress.refused
    if (error === ROLLBACK) return toRefused(await findRow(db, claim))
    if (progress.phase === 'work') throw error
    const failure = toStoreError(error)
    if (!progress.committing || !isDatabaseUnavailable(error)) throw failure
    const found = await settleRow(db, claim, SETTLE_MS)
    if (found?.outcome === 'completed' && found.isOwn) return progress.committing
    if (found?.outcome === 'completed' || found?.outcome === 'mismatch') return toRefused(found)
    throw failure
  }
}

/**
 * READ COMMITTED, because a later statement must see the row that another attempt has committed since
 * the first one. The server ends a transaction that is idle for longer than the lease: its holder hangs
 * or is cut off, and the locks of its rows would stop the next attempt.
 */
function beginWith(leaseMs: number): PgTransactionConfig {
  const config: PgTransactionConfig = { isolationLevel: 'read committed' }
  const idle = `set local idle_in_transaction_session_timeout = ${Math.ceil(leaseMs)}`
  // Drizzle writes the level into BEGIN as it is. In the same message, SET costs no round trip.
  Reflect.set(config, 'isolationLevel', `read committed; ${idle}`)
  return config
}

interface Committed<T> {
  readonly outcome: 'committed'
  readonly result: T
}

/** The progress of a transaction until an error. */
interface Progress<T> {
  phase: 'begin' | 'work' | 'store'
  refused?: Refused | undefined
  /** The result, once COMMIT is sent. */
  committing?: Committed<T>
}

/** Claims the request for the transaction. Undefined: it is claimed, until the transaction ends. */
async function lock(tx: Transaction, claim: Claim, leaseMs: number): Promise<Refused | undefined> {
  const [id, fingerprint] = parametersOf(claim)
  // Two keys with the same 64 bits would only wait for each other.
  const values = [id, fingerprint, String(id.readBigInt64BE()), Math.ceil(leaseMs)]
  const [row] = await execute<{ outcome: Begun['outcome']; record: Buffer | null }>(
    tx,
    LOCK,
    values,
  )
  switch (row?.outcome) {
    case 'claimed':
      return undefined
    case 'completed':
      return { outcome: 'completed', record: requireRecord(row.record) }
    case 'mismatch':
      return { outcome: 'mismatch' }
    case 'pending':
      return { outcome: 'pending', retryAfterMs: leaseMs }
    default:
      throw new IdempotencyError('defect', 'idempotency_lock returned an unknown outcome')
  }
}

/** The refusal of a write, by the row that was in its way. */
export function toRefused(found: Found | undefined): Refused {
  if (found?.outcome === 'completed') {
    return { outcome: 'completed', record: requireRecord(found.record) }
  }
  return found?.outcome === 'mismatch' ? { outcome: 'mismatch' } : { outcome: 'lost' }
}
