import { hash } from 'node:crypto'
import type { Bus } from '@repo/cache-broadcast'
import { retryInBackground } from '@repo/concurrency'
import { type DatabaseConnection, schema } from '@repo/database'
import type { Log } from '@repo/observability'
import type { Outbox } from '@repo/outbox'
import type { RateLimiter } from '@repo/ratelimit'
import { eq, sql } from 'drizzle-orm'
import { announceChange, type ChangeDelivery } from '../cluster/announce.ts'
import type { Route } from '../routing/route.ts'
import { createLimitTable, type LimitTable } from './limit-table.ts'
import { type Limits, type ParsedLimits, parseLimits, writeLimits } from './limits.ts'

const NAME = 'limits'
const CHANGED = 'limits.changed'

export interface PublishedLimits {
  /** The limits in force, compiled for the routes. */
  readonly table: LimitTable
  current(): Limits
  /** Puts new limits in force on all instances. Invalid limits change nothing. */
  set(
    source: unknown,
    by: string,
  ): Promise<
    { outcome: 'set'; delivery: ChangeDelivery } | Extract<ParsedLimits, { outcome: 'invalid' }>
  >
  /**
   * Puts the limits of a file in force on all instances, unless this file was the last one
   * published: an instance that starts does not undo a later change.
   */
  publish(
    text: string,
  ): Promise<Awaited<ReturnType<PublishedLimits['set']>> | { outcome: 'unchanged' }>
}

/**
 * The limits of all gateways. PostgreSQL stores them with the hash of their file, and the bus
 * announces a change. Invalid limits are in force on no instance.
 */
export async function createPublishedLimits({
  limiter,
  bus,
  outbox,
  database: { db },
  log,
  initial,
  routes,
}: {
  limiter: RateLimiter
  bus: Bus
  outbox: Outbox
  database: DatabaseConnection
  log: Log
  /** In force until the database returns others. */
  initial: Limits
  /** Every route. New limits that no request can meet are invalid. */
  routes?: readonly Route[]
}): Promise<PublishedLimits> {
  const { setting } = schema
  let limits = initial
  let table = enforce(initial)
  let file: unknown
  let stopRetry: (() => void) | undefined
  let turn: Promise<unknown> = Promise.resolve()

  /** Puts limits in force for the next requests. */
  function enforce(next: Limits): LimitTable {
    limiter.setPolicies(next.policies)
    return createLimitTable({ limiter, limits: next, routes: routes ?? [] })
  }

  /** Reads one after the other, so that an earlier read is never put in force later. */
  function readInTurn(): Promise<void> {
    const read = turn.then(readNow)
    turn = read.catch(() => 'reported to the caller')
    return read
  }

  /** An instance that cannot read uses the old limits, and tries again. */
  async function reload(): Promise<void> {
    stopRetry?.()
    try {
      await readInTurn()
    } catch (error) {
      stopRetry?.()
      stopRetry = retryInBackground({
        task: 'limits.read',
        work: readInTurn,
        firstMs: 1_000,
        lastMs: 2_000,
        log,
      })
      throw error
    }
  }

  async function readNow(): Promise<void> {
    const [row] = await db.select().from(setting).where(eq(setting.name, NAME))
    if (!row) return
    const value: unknown = row.value
    if (typeof value !== 'object' || value === null || !('limits' in value)) return
    const parsed = parseLimits(value.limits)
    if (parsed.outcome === 'invalid') {
      log.error({ event: 'limits.invalid', faults: parsed.faults }, 'stored limits have faults')
      return
    }
    file = 'file' in value ? value.file : undefined
    limits = parsed.limits
    table = enforce(limits)
  }

  /**
   * Stores limits. The statement compares and keeps the hash of the file, because this instance may
   * not have read the last change yet.
   *
   * @param digest the hash of the file with the limits; limits without a file keep the stored hash
   * @returns false if the file was the last one published
   */
  async function store(next: Limits, by: string, digest?: string): Promise<boolean> {
    const value = { file: digest, limits: writeLimits(next) }
    const storedFile = sql`jsonb_strip_nulls(jsonb_build_object('file', ${setting.value}->'file'))`
    return db.transaction(async (tx) => {
      const written = await tx
        .insert(setting)
        .values({ name: NAME, value, updatedBy: by })
        .onConflictDoUpdate({
          target: setting.name,
          set: {
            value: sql`${storedFile} || excluded.value`,
            updatedBy: by,
            updatedAt: sql`now()`,
          },
          ...(digest !== undefined && {
            setWhere: sql`${setting.value}->>'file' is distinct from ${digest}`,
          }),
        })
        .returning({ name: setting.name })
      if (written.length === 0) return false
      await outbox.emit(tx, CHANGED)
      return true
    })
  }

  async function announce() {
    const delivery = await announceChange(log, () =>
      bus.emit(CHANGED, null, { wait: 'everywhere' }),
    )
    if (delivery.outcome === 'pending') await reload()
    return { outcome: 'set' as const, delivery }
  }

  bus.on(CHANGED, reload, { onResync: reload })
  await reload().catch((error: unknown) => {
    log.warn(
      { event: 'limits.unread', err: error },
      'the limits of the file are in force until the database can be read',
    )
  })

  return {
    get table() {
      return table
    },
    current: () => limits,
    async set(source, by) {
      const parsed = parseLimits(source)
      if (parsed.outcome === 'invalid') return parsed
      await store(parsed.limits, by)
      return announce()
    },
    async publish(text) {
      const digest = hash('sha256', text)
      if (digest === file) return { outcome: 'unchanged' }
      const parsed = parseLimits(text)
      if (parsed.outcome === 'invalid') return parsed
      if (await store(parsed.limits, 'file', digest)) return announce()
      // Another instance published the file. Without Redis its message does not arrive.
      await reload()
      return { outcome: 'unchanged' }
    },
  }
}
