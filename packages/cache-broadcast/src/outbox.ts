import { setTimeout as pause } from 'node:timers/promises'
import { repeat } from '@repo/concurrency'
import { type Database, schema } from '@repo/database'
import type { ConnectionLog } from '@repo/redis'
import { and, asc, eq, inArray, lte, max } from 'drizzle-orm'
import type { Bus } from './bus-api.ts'
import { isMessage, type Message } from './message.ts'
import { checkName, toKeys, toTags } from './names.ts'

const { cacheOutbox } = schema

/** A transaction of `@repo/database`, or the database itself. */
export type OutboxTransaction = Pick<Database, 'insert'>

/** What must reach every instance, whatever happens after the transaction commits. */
export interface Outbox {
  /** @throws CacheError `bad-key`; a failing insert's own error */
  invalidate(tx: OutboxTransaction, cache: string, keys: string | string[]): Promise<void>
  invalidateTag(tx: OutboxTransaction, tags: string | string[]): Promise<void>
  clear(tx: OutboxTransaction, cache: string): Promise<void>
  /** Handlers may get it more than once. */
  emit(tx: OutboxTransaction, event: string, data?: unknown): Promise<void>
  /**
   * Sends what is waiting, at most 100 rows: call it after the commit, so that nobody waits for
   * the next turn. `failed` rows stay.
   */
  relay(): Promise<{ relayed: number; failed: number }>
  /**
   * Sends all that waits now, and waits for what another instance is sending: `drained` when Redis
   * has acknowledged every row that was committed before the call.
   */
  drain(options?: { timeoutMs?: number }): Promise<{ outcome: 'drained' | 'pending' }>
  /** Stops the turns, and waits for the one under way. */
  close(): Promise<void>
}

/** What an outbox needs. */
export interface OutboxOptions {
  bus: Bus
  db: Database
  /** How often every instance looks for rows that were left, in ms. */
  everyMs?: number
  log?: ConnectionLog
}

/**
 * Invalidations that cannot be lost: a row is written in the transaction of the change it is about,
 * and deleted in the transaction that saw Redis acknowledge it. Whoever relays it may die at any
 * point: the row is there still, and sending again changes nothing but that an event comes twice.
 */
export function createOutbox({ bus, db, everyMs = 1_000, log }: OutboxOptions): Outbox {
  async function add(tx: OutboxTransaction, message: Message) {
    await tx.insert(cacheOutbox).values({ bus: bus.name, message })
  }

  async function relay(): Promise<{ relayed: number; failed: number }> {
    return db.transaction(async (tx) => {
      const rows = await tx
        .select({ id: cacheOutbox.id, message: cacheOutbox.message })
        .from(cacheOutbox)
        .where(eq(cacheOutbox.bus, bus.name))
        .orderBy(asc(cacheOutbox.id))
        .limit(100)
        // Rows that another instance is relaying are its business, unless it dies.
        .for('update', { skipLocked: true })
      const sent = await Promise.allSettled(rows.map(({ message }) => send(bus, message)))
      const done = rows.filter((_, i) => sent[i]?.status === 'fulfilled').map(({ id }) => id)
      if (done.length > 0) {
        await tx
          .delete(cacheOutbox)
          .where(and(eq(cacheOutbox.bus, bus.name), inArray(cacheOutbox.id, done)))
      }
      return { relayed: done.length, failed: rows.length - done.length }
    })
  }

  async function newestWaiting(upTo = Number.MAX_SAFE_INTEGER): Promise<number | undefined> {
    const waiting = and(eq(cacheOutbox.bus, bus.name), lte(cacheOutbox.id, upTo))
    const [row] = await db
      .select({ id: max(cacheOutbox.id) })
      .from(cacheOutbox)
      .where(waiting)
    return row?.id ?? undefined
  }

  async function drain({ timeoutMs = 1_000 } = {}): Promise<{ outcome: 'drained' | 'pending' }> {
    const newest = await newestWaiting()
    const giveUpAtMs = performance.now() + timeoutMs
    let left = newest
    while (left !== undefined) {
      const { failed } = await relay()
      left = await newestWaiting(newest)
      if (failed > 0 || performance.now() >= giveUpAtMs) break
      // Another instance has its hands on what is left.
      if (left !== undefined) await pause(5)
    }
    return { outcome: left === undefined ? 'drained' : 'pending' }
  }

  async function takeTurn() {
    while ((await relay()).relayed === 100) continue
  }

  const turns = repeat({ task: 'outbox.relay', work: takeTurn, everyMs, log })

  return {
    async invalidate(tx, cache, keys) {
      checkName('cache', cache)
      await add(tx, { kind: 'keys', cache, keys: toKeys(keys) })
    },
    async invalidateTag(tx, tags) {
      await add(tx, { kind: 'tags', tags: toTags(tags) })
    },
    async clear(tx, cache) {
      checkName('cache', cache)
      await add(tx, { kind: 'clear', cache })
    },
    async emit(tx, event, data) {
      await add(tx, { kind: 'event', event, data })
    },
    relay,
    drain,
    close: () => turns.close(),
  }
}

/** @throws CacheError; TypeError for a row of a later version, which is left to that version */
async function send(bus: Bus, message: unknown): Promise<void> {
  if (!isMessage(message)) throw new TypeError('an unknown message')
  if (message.kind === 'keys') await bus.invalidate(message.cache, message.keys)
  else if (message.kind === 'tags') await bus.invalidateTag(message.tags)
  else if (message.kind === 'clear') await bus.clear(message.cache)
  else if (message.kind === 'event') await bus.emit(message.event, message.data)
  else throw new TypeError(`a ${message.kind} message does not go through an outbox`)
}
