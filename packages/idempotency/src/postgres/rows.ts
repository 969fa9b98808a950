import { type Database, isDatabaseUnavailable } from '@repo/database'
import { DrizzleQueryError } from 'drizzle-orm'
import type { PgSession } from 'drizzle-orm/pg-core'
import { IdempotencyError } from '../errors.ts'
import type { Begun, Claim, Transaction } from '../store.ts'
import * as statements from './statements.ts'
import type { Statement, Takes } from './statements.ts'

/** The row of a request, as another attempt reads it. */
export interface Found {
  readonly outcome: 'completed' | 'mismatch' | 'pending' | 'own' | 'ended'
  /** Whether the token of the claim wrote the row. */
  readonly isOwn: boolean
  readonly attempt: number
  readonly record: Buffer | null
  readonly leaseMs: number
  readonly ttlMs: number
}

/** The row that a claim returns. */
interface ClaimRow {
  readonly outcome: Begun['outcome']
  readonly number: number
  readonly record: Buffer | null
}

type Values = readonly (Buffer | Buffer[] | string | number)[]

/**
 * Runs a statement by its name, in a transaction or on any connection.
 * @throws IdempotencyError `unavailable`, `defect`
 */
export async function execute<Row>(
  on: Database | Transaction,
  { name, text }: Statement,
  values: Values,
): Promise<Row[]> {
  const session: Pick<PgSession, 'prepareQuery'> = on._.session
  interface Config {
    execute: { rows: Row[] }
    all: unknown
    values: unknown
  }
  const query = { sql: text, params: [...values] }
  try {
    return (await session.prepareQuery<Config>(query, undefined, name, false).execute()).rows
  } catch (error) {
    throw toStoreError(error)
  }
}

/** The message of Drizzle contains the parameters, also the record, so its cause is reported. */
export function toStoreError(error: unknown): IdempotencyError {
  if (error instanceof IdempotencyError) return error
  const cause = error instanceof DrizzleQueryError ? error.cause : error
  if (isDatabaseUnavailable(cause)) {
    return new IdempotencyError('unavailable', 'PostgreSQL is unavailable', { cause })
  }
  return new IdempotencyError('defect', 'PostgreSQL refused a statement', { cause })
}

/** The parameters `$1` id, `$2` fingerprint, `$3` token. */
export function parametersOf({ id, fingerprint, token }: Claim): [Buffer, Buffer, Buffer] {
  return [bytesOf(id), bytesOf(fingerprint), bytesOf(token)]
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'base64url')
}

/** Claims a request by a row. */
export async function claimRow(db: Database, claim: Claim, leaseMs: number): Promise<Begun> {
  for (;;) {
    const [row] = await execute<ClaimRow>(db, statements.CLAIM, [...parametersOf(claim), leaseMs])
    // Without a row, another claim was first or ended in between: the next statement sees it.
    if (row) return toBegun(row)
  }
}

function toBegun({ outcome, number, record }: ClaimRow): Begun {
  switch (outcome) {
    case 'claimed':
      return { outcome, attempt: number }
    case 'pending':
      return { outcome, retryAfterMs: number }
    case 'mismatch':
      return { outcome }
    case 'completed':
      return { outcome, record: requireRecord(record) }
  }
}

/** @throws IdempotencyError `unknown-format` for a completed row without a record */
export function requireRecord(record: Buffer | null): Buffer {
  if (record) return record
  throw new IdempotencyError('unknown-format', 'the row of a completed request has no record')
}

export async function findRow(
  on: Database | Transaction,
  claim: Claim,
): Promise<Found | undefined> {
  const [row] = await execute<Found>(on, statements.FIND, parametersOf(claim))
  return row
}

/** Stores the record of a claim. Undefined: the row belongs to another holder, or is completed. */
export async function storeRow(
  on: Database | Transaction,
  claim: Claim,
  { record, ttlMs, takes }: { record: Buffer; ttlMs: number; takes: Takes },
): Promise<{ isNew: boolean } | undefined> {
  const values = [...parametersOf(claim), record, ttlMs]
  const [row] = await execute<{ isNew: boolean }>(on, statements.storeStatement(takes), values)
  return row
}

/** @returns the claims that belong to another holder */
export async function renewRows(
  db: Database,
  claims: readonly Claim[],
  leaseMs: number,
): Promise<readonly Claim[]> {
  if (claims.length === 0) return []
  const ids = claims.map(({ id }) => bytesOf(id))
  const tokens = claims.map(({ token }) => bytesOf(token))
  const rows = await execute<{ id: Buffer }>(db, statements.RENEW, [ids, tokens, leaseMs])
  const lost = new Set(rows.map(({ id }) => id.toString('base64url')))
  return claims.filter(({ id }) => lost.has(id))
}

export async function releaseRow(db: Database, { id, token }: Claim): Promise<void> {
  await execute(db, statements.RELEASE, [bytesOf(id), bytesOf(token)])
}

export async function readStepsOf(
  db: Database,
  { id, fingerprint }: Claim,
): Promise<ReadonlyMap<string, string>> {
  const values = [bytesOf(id), bytesOf(fingerprint)]
  const [row] = await execute<{ steps: Record<string, string> | null }>(
    db,
    statements.STEPS,
    values,
  )
  return new Map(Object.entries(row?.steps ?? {}))
}

/** @throws IdempotencyError `lost` */
export async function writeStepOf(
  db: Database,
  claim: Claim,
  { step, json, takes }: { step: string; json: string; takes: Takes },
): Promise<void> {
  const values = [...parametersOf(claim), step, json]
  const rows = await execute(db, statements.stepStatement(takes), values)
  if (rows.length > 0) return
  throw new IdempotencyError('lost', `another attempt has the claim: step ${step} is not stored`)
}

/** Rejects if PostgreSQL is unavailable or read-only. */
export async function checkRows(db: Database): Promise<void> {
  const [row] = await execute<{ canWrite: boolean }>(db, statements.CHECK, [])
  if (row?.canWrite) return
  throw new IdempotencyError('unavailable', 'PostgreSQL is read-only')
}

/**
 * Reads the row after the end of each transaction that writes it: the outcome of a write whose reply
 * was lost. It waits for such a transaction at most `waitMs`.
 *
 * @throws IdempotencyError `unavailable` when the outcome is still unknown
 */
export async function settleRow(
  db: Database,
  claim: Claim,
  waitMs: number,
): Promise<Found | undefined> {
  let found: Found | undefined
  try {
    await db.transaction(
      async (tx) => {
        // An instance that hangs here would block the next attempt by the row that it holds.
        const idle = `set local idle_in_transaction_session_timeout = ${10 * waitMs}`
        await tx.execute(`set local lock_timeout = ${waitMs}; ${idle}`)
        await execute(tx, statements.AWAIT, parametersOf(claim))
        found = await findRow(tx, claim)
        // The row of the statement that waited must not stay.
        throw ROLLBACK
      },
      { isolationLevel: 'read committed' },
    )
  } catch (error) {
    if (error !== ROLLBACK) throw toStoreError(error)
  }
  return found
}

/** Thrown to roll a transaction back that has not failed. */
export const ROLLBACK = new Error('rolled back')
