import type { Database } from '@repo/database'
import { IdempotencyError } from '../errors.ts'
import { completeRow } from '../postgres/postgres-store.ts'
import {
  checkRows,
  claimRow,
  findRow,
  readStepsOf,
  releaseRow,
  renewRows,
  requireRecord,
  writeStepOf,
} from '../postgres/rows.ts'
import { sweepRows } from '../postgres/sweep.ts'
import { type Refused, runInTransaction } from '../postgres/transaction.ts'
import type { Begun, Claim, IdempotencyStore } from '../store.ts'

/** Options of `tieredStore`. */
export interface TieredStoreOptions {
  /** The store in Redis. */
  readonly redis: IdempotencyStore
  readonly db: Database
  /** The time that Redis has a copy of a record, in ms. PostgreSQL has the record for its whole time. */
  readonly hotTtlMs?: number
}

/**
 * Claims in Redis, and stores records in PostgreSQL. A first call costs two calls to Redis, one query,
 * and one statement in the transaction of the work; a replay costs one call to Redis. Redis decides
 * nothing alone:
 * - A claim in Redis is valid only after a query has found no record of the request in PostgreSQL.
 * - The primary key decides between two attempts, also after Redis has lost its memory.
 * - A takeover, and every claim while Redis is unavailable, is also a row, which fences the
 *   previous holder.
 *
 * A record is copied to Redis after its commit. A failure of the copy costs time and changes no
 * decision: the next attempt reads the row, and copies it again.
 *
 * @throws IdempotencyError `bad-option`
 */
export function tieredStore(options: TieredStoreOptions): IdempotencyStore {
  const { redis, db, hotTtlMs = 3_600_000 } = options
  if (!(hotTtlMs > 0)) throw new IdempotencyError('bad-option', 'hotTtlMs must be above 0')
  const unlocked = { db, takes: 'ended', isLocking: false } as const
  /** The tokens of claims that are rows. */
  const rows = new Set<string>()

  async function begin(claim: Claim, leaseMs: number): Promise<Begun> {
    const begun = await redis.begin(claim, leaseMs).catch(ignoreOutage)
    if (!begun) return beginByRow(claim, leaseMs)
    if (begun.outcome === 'mismatch') return confirmMismatch(claim, leaseMs)
    if (begun.outcome !== 'claimed') return begun
    try {
      const confirmed = await (begun.attempt > 1 ? takeOver(claim, leaseMs) : read(claim))
      if (confirmed.outcome === 'claimed') {
        return { ...begun, attempt: Math.max(begun.attempt, confirmed.attempt) }
      }
      if (confirmed.outcome !== 'completed') await endInRedis(claim)
      return confirmed
    } catch (error) {
      await endInRedis(claim)
      throw error
    }
  }

  /** If PostgreSQL has a row of this request, a claim of another request in Redis does not count. */
  async function confirmMismatch(claim: Claim, leaseMs: number): Promise<Begun> {
    const found = await findRow(db, claim)
    if (!found || found.outcome === 'mismatch') return { outcome: 'mismatch' }
    return beginByRow(claim, leaseMs)
  }

  /** Redis may have lost the record, or has deleted it before PostgreSQL does. */
  async function read(claim: Claim): Promise<Begun> {
    const found = await findRow(db, claim)
    switch (found?.outcome) {
      case 'completed': {
        const record = requireRecord(found.record)
        await copy(claim, record, found.ttlMs)
        return { outcome: 'completed', record }
      }
      case 'mismatch':
        return { outcome: 'mismatch' }
      case 'pending':
        return { outcome: 'pending', retryAfterMs: found.leaseMs }
      default:
        return { outcome: 'claimed', attempt: found ? found.attempt + 1 : 1 }
    }
  }

  async function takeOver(claim: Claim, leaseMs: number): Promise<Begun> {
    const begun = await beginByRow(claim, leaseMs)
    if (begun.outcome === 'completed') await copyRow(claim, begun.record)
    return begun
  }

  async function beginByRow(claim: Claim, leaseMs: number): Promise<Begun> {
    const begun = await claimRow(db, claim, leaseMs)
    if (begun.outcome === 'claimed') rows.add(claim.token)
    return begun
  }

  /** While Redis is unavailable its claims become rows, which other attempts find. */
  async function renewInRedis(claims: readonly Claim[], leaseMs: number) {
    if (claims.length === 0) return []
    const lost = await redis.renew(claims, leaseMs).catch(ignoreOutage)
    if (lost) return lost.filter(({ token }) => !rows.has(token))
    const refused: Claim[] = []
    for (const claim of claims) {
      if (rows.has(claim.token)) continue
      const { outcome } = await beginByRow(claim, leaseMs)
      if (outcome !== 'claimed') refused.push(claim)
    }
    return refused
  }

  /**
   * Copies a record to Redis after its commit, for at most `ttlMs`: a row that has expired is not
   * replayed. Without the copy, the next attempt reads the row.
   */
  function copy(claim: Claim, record: Buffer, ttlMs: number) {
    return redis.complete(claim, record, Math.min(ttlMs, hotTtlMs)).catch(ignoreOutage)
  }

  /** Copies the record of another attempt for the time that its row has left. */
  async function copyRow(claim: Claim, record: Buffer): Promise<void> {
    const found = await findRow(db, claim).catch(ignoreOutage)
    if (found) await copy(claim, record, found.ttlMs)
    else await endInRedis(claim)
  }

  /** Without the reply of Redis, the claim ends with its lease. */
  async function endInRedis(claim: Claim): Promise<void> {
    await redis.release(claim).catch(ignoreOutage)
  }

  async function endRefused<O extends Refused>(claim: Claim, refused: O): Promise<O> {
    if (refused.outcome === 'completed') await copyRow(claim, refused.record)
    else await endInRedis(claim)
    return refused
  }

  return {
    name: 'tiered',
    isDurable: true,
    needsTransaction: false,
    begin,
    async complete(claim, record, ttlMs) {
      const decided = await completeRow(db, claim, { record, ttlMs, takes: 'ended' })
      rows.delete(claim.token)
      if (decided.outcome === 'completed' || decided.outcome === 'lost') {
        return endRefused(claim, decided)
      }
      const copied = await copy(claim, record, ttlMs)
      // Most claims have no row, so a new row does not show a lost claim. The reply of Redis does.
      return { outcome: copied?.outcome === 'healed' ? 'healed' : 'stored' }
    },
    async release(claim) {
      if (rows.delete(claim.token)) await releaseRow(db, claim)
      await endInRedis(claim)
    },
    async renew(claims, leaseMs) {
      const byRow = claims.filter(({ token }) => rows.has(token))
      const lost = await Promise.all([renewRows(db, byRow, leaseMs), renewInRedis(claims, leaseMs)])
      return lost.flat()
    },
    readSteps: (claim) => readStepsOf(db, claim),
    writeStep: (claim, step, json) => writeStepOf(db, claim, { step, json, takes: 'ended' }),
    async transaction(claim, times, work) {
      let record: Buffer | undefined
      const decided = await runInTransaction(unlocked, claim, times, async (tx) => {
        const done = await work(tx)
        record = done.record
        return done
      })
      rows.delete(claim.token)
      if (decided.outcome !== 'committed') return endRefused(claim, decided)
      if (record) await copy(claim, record, times.ttlMs)
      return decided
    },
    sweep: (limit) => sweepRows(db, limit),
    check: () => checkRows(db),
  }
}

/** @throws the error, unless the store was unavailable */
function ignoreOutage(error: unknown): undefined {
  if (error instanceof IdempotencyError && error.code === 'unavailable') return undefined
  throw error
}
