import type { Database } from '@repo/database'
import { IdempotencyError } from '../errors.ts'
import type { Claim, Completed, IdempotencyStore } from '../store.ts'
import {
  checkRows,
  claimRow,
  findRow,
  type Found,
  readStepsOf,
  releaseRow,
  renewRows,
  settleRow,
  storeRow,
  toStoreError,
  writeStepOf,
} from './rows.ts'
import type { Takes } from './statements.ts'
import { sweepRows } from './sweep.ts'
import { runInTransaction, SETTLE_MS, toRefused } from './transaction.ts'

/** Options of `postgresStore`. */
export interface PostgresStoreOptions {
  readonly db: Database
  /**
   * - `row` (default): a claim is a row that is committed before the work begins.
   * - `lock`: a claim is a lock of the transaction. Nothing is written before the commit. When a process
   *   dies, its connection closes and its claim ends. All work must use `transaction`, which returns a
   *   conflict, a mismatch or a replay. `begin` makes no call, and each `begin` succeeds.
   */
  readonly claim?: 'row' | 'lock'
}

/**
 * Stores claims and records in PostgreSQL. Work that commits by `transaction` has its effect in
 * PostgreSQL once, even if processes die or hang at any point. Other work runs once while no holder
 * exceeds its lease.
 *
 * @throws IdempotencyError `bad-option`
 */
export function postgresStore(options: PostgresStoreOptions): IdempotencyStore {
  const { db, claim: mode = 'row' } = options
  if (mode !== 'row' && mode !== 'lock') {
    throw new IdempotencyError('bad-option', "claim must be 'row' or 'lock'")
  }
  return mode === 'row' ? createRowStore(db) : createLockStore(db)
}

function createRowStore(db: Database): IdempotencyStore {
  return {
    name: 'postgres',
    isDurable: true,
    needsTransaction: false,
    begin: (claim, leaseMs) => claimRow(db, claim, leaseMs),
    complete: (claim, record, ttlMs) => completeRow(db, claim, { record, ttlMs, takes: 'own' }),
    release: (claim) => releaseRow(db, claim),
    renew: (claims, leaseMs) => renewRows(db, claims, leaseMs),
    readSteps: (claim) => readStepsOf(db, claim),
    writeStep: (claim, step, json) => writeStepOf(db, claim, { step, json, takes: 'own' }),
    transaction: (claim, times, work) =>
      runInTransaction({ db, takes: 'own', isLocking: false }, claim, times, work),
    sweep: (limit) => sweepRows(db, limit),
    check: () => checkRows(db),
  }
}

function createLockStore(db: Database): IdempotencyStore {
  return {
    name: 'postgres',
    isDurable: true,
    needsTransaction: true,
    begin: async () => ({ outcome: 'claimed', attempt: 1 }),
    complete: async () => {
      const message = 'the response is stored only by the transaction of the work'
      throw new IdempotencyError('no-transaction', message)
    },
    // The lock ends with the transaction.
    release: async () => undefined,
    renew: async () => [],
    readSteps: (claim) => readStepsOf(db, claim),
    writeStep: (claim, step, json) => writeStepOf(db, claim, { step, json, takes: 'any' }),
    transaction: (claim, times, work) =>
      runInTransaction({ db, takes: 'any', isLocking: true }, claim, times, work),
    sweep: (limit) => sweepRows(db, limit),
    check: () => checkRows(db),
  }
}

/**
 * Stores the record of work that has no transaction. A write whose reply was lost is read back.
 * @throws IdempotencyError `unavailable`, `defect`
 */
export async function completeRow(
  db: Database,
  claim: Claim,
  write: { record: Buffer; ttlMs: number; takes: Takes },
): Promise<Completed> {
  let found: Found | undefined
  try {
    const stored = await storeRow(db, claim, write)
    if (stored) return { outcome: stored.isNew ? 'healed' : 'stored' }
    found = await findRow(db, claim)
  } catch (error) {
    found = await settleRow(db, claim, SETTLE_MS).catch(() => undefined)
    if (found?.outcome !== 'completed') throw toStoreError(error)
    if (found.isOwn) return { outcome: 'stored' }
  }
  const refused = toRefused(found)
  return refused.outcome === 'completed' ? refused : { outcome: 'lost' }
}
