import { hash } from 'node:crypto'
import type { Bus } from '@repo/cache-broadcast'
import { retryInBackground } from '@repo/concurrency'
import { type DatabaseConnection, schema } from '@repo/database'
import type { Log } from '@repo/observability'
import type { Outbox } from '@repo/outbox'
import type { RateLimiter } from '@repo/ratelimit'
import { eq, sql } from 'drizzle-orm'
import { type Told, tell } from '../cluster/announce.ts'
import {
  enforce,
  type Limits,
  type LimitRequest,
  type ParsedLimits,
  parseLimits,
  writeLimits,
} from './limits.ts'

const NAME = 'limits'
const CHANGED = 'limits.changed'

export interface LimitsInForce {
  readonly limit: LimitRequest
  current(): Limits
  /** Puts other limits in force on all instances, unless they have a fault: then nothing changes. */
  set(
    source: unknown,
    by: string,
  ): Promise<{ outcome: 'set'; delivery: Told } | Extract<ParsedLimits, { outcome: 'invalid' }>>
  /**
   * Puts a file's limits in force on all instances, if this very file was not the last to be: so an
   * instance that starts does not undo what was set since.
   */
  publish(text: string): Promise<Awaited<ReturnType<LimitsInForce['set']>> | { outcome: 'known' }>
}

/**
 * The limits that all gateways go by. PostgreSQL holds them with the hash of the file that they came
 * from, the bus says that they changed, and what has a fault is put in force nowhere.
 */
export async function createLimitsInForce({
  limiter,
  bus,
  outbox,
  database: { db },
  log,
  initial,
}: {
  limiter: RateLimiter
  bus: Bus
  outbox: Outbox
  database: DatabaseConnection
  log: Log
  /** In force until the database says otherwise. */
  initial: Limits
}): Promise<LimitsInForce> {
  const { setting } = schema
  let limits = initial
  let limit = enforce(limiter, initial)
  let file: unknown
  let stopRetry: (() => void) | undefined
  let turn: Promise<unknown> = Promise.resolve()

  /** One after the other: what was read earlier is never put in force later. */
  function readInTurn(): Promise<void> {
    const read = turn.then(readNow)
    turn = read.catch(() => 'reported to the caller')
    return read
  }

  /** An instance that could not read goes by the old limits until it can. */
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
    limit = enforce(limiter, limits)
  }

  async function store(source: unknown, by: string, from: unknown) {
    const parsed = parseLimits(source)
    if (parsed.outcome === 'invalid') return parsed
    const value = { file: from, limits: writeLimits(parsed.limits) }
    await db.transaction(async (tx) => {
      await tx
        .insert(setting)
        .values({ name: NAME, value, updatedBy: by })
        .onConflictDoUpdate({
          target: setting.name,
          set: { value, updatedBy: by, updatedAt: sql`now()` },
        })
      await outbox.emit(tx, CHANGED)
    })
    const delivery = await tell(log, () => bus.emit(CHANGED, null, { wait: 'everywhere' }))
    if (delivery.outcome === 'pending') await reload()
    return { outcome: 'set' as const, delivery }
  }

  bus.on(CHANGED, reload, { onResync: reload })
  await reload().catch((error: unknown) => {
    log.warn({ event: 'limits.unread', err: error }, 'limits are those of the file for now')
  })

  return {
    get limit() {
      return limit
    },
    current: () => limits,
    set: (source, by) => store(source, by, file),
    async publish(text) {
      const own = hash('sha256', text)
      return own === file ? { outcome: 'known' } : store(text, 'file', own)
    },
  }
}
