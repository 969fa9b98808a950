import { setTimeout as pause } from 'node:timers/promises'
import type { Bus } from '@repo/cache-broadcast'
import { checkMethods, checkWhole, readOptions } from '@repo/cache-broadcast/input'
import {
  createClearMessage,
  createEventMessage,
  createKeysMessages,
  createTagMessages,
  isEventMessage,
  isPermanent,
  STORED_KINDS,
  type StoredMessage,
} from '@repo/cache-broadcast/stored-messages'
import { repeat, setAwakeTimeout } from '@repo/concurrency'
import { type Database, schema } from '@repo/database'
import type { ConnectionLog } from '@repo/redis'
import { and, asc, eq, inArray, lte, max, or, sql } from 'drizzle-orm'
import { checkStorable, send } from './rows.ts'

const { cacheOutbox } = schema

/** Whether a row waits for so long that no release that could send it runs. By PostgreSQL's clock. */
const isLeft = sql<boolean>`${cacheOutbox.createdAt} < now() - interval '10 s'`

/** A transaction of `@repo/database`, or the database itself. */
export type OutboxTransaction = Pick<Database, 'insert'>

/** What must reach every instance, whatever happens after the transaction commits. */
export interface Outbox {
  /**
   * @throws CacheError `bad-key`, `bad-option`, and for an event `unserialisable` or `too-large`, before
   * anything is written; a failing insert's own error
   */
  invalidate(tx: OutboxTransaction, cache: string, keys: string | string[]): Promise<void>
  invalidateTag(tx: OutboxTransaction, tags: string | string[]): Promise<void>
  clear(tx: OutboxTransaction, cache: string): Promise<void>
  /** Handlers may get it more than once. */
  emit(tx: OutboxTransaction, event: string, data?: unknown): Promise<void>
  /**
   * Sends what is waiting, at most 100 rows: call it after the commit, so that nobody waits for
   * the next turn. `failed` rows stay; an event that can never be sent is set aside as `refused`, in
   * the table under the name of the bus and `:refused`. A row of another kind that no release has sent
   * for 10 s is forwarded: it invalidates all that is cached.
   */
  relay(): Promise<Relayed>
  /**
   * Sends all that waits now, and waits for what another instance is sending: `drained` when Redis
   * has acknowledged every row that was committed before the call.
   */
  drain(options?: { timeoutMs?: number }): Promise<{ outcome: 'drained' | 'pending' }>
  /** Stops the turns, and waits for the one under way. */
  close(): Promise<void>
}

export interface Relayed {
  relayed: number
  failed: number
  refused: number
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
export function createOutbox(options: OutboxOptions): Outbox {
  const { everyMs = 1_000 } = options
  checkMethods('bus', options.bus, ['emit', 'invalidate'])
  checkMethods('db', options.db, ['transaction', 'select'])
  checkWhole('everyMs', everyMs, 1)
  if (options.log !== undefined) checkMethods('log', options.log, ['info', 'warn'])
  const { bus, db, log } = options
  /** Rows of later releases are theirs to send, unless no instance of them does. */
  const ours = and(
    eq(cacheOutbox.bus, bus.name),
    or(inArray(sql`message->>'kind'`, STORED_KINDS), isLeft),
  )

  async function add(tx: OutboxTransaction, messages: StoredMessage[]) {
    checkMethods('tx', tx, ['insert'])
    for (const message of messages) checkStorable(message)
    for (const message of messages) await tx.insert(cacheOutbox).values({ bus: bus.name, message })
  }

  async function relay(): Promise<Relayed> {
    return db.transaction(async (tx) => {
      const rows = await tx
        .select({ id: cacheOutbox.id, message: cacheOutbox.message, isLeft })
        .from(cacheOutbox)
        .where(ours)
        .orderBy(asc(cacheOutbox.id))
        .limit(100)
        // Rows that another instance is relaying are its business, unless it dies.
        .for('update', { skipLocked: true })
      const sent = await Promise.allSettled(rows.map((row) => send(bus, row, log)))
      const done: number[] = []
      const refused: number[] = []
      for (const [i, { id, message }] of rows.entries()) {
        const result = sent[i]
        if (result?.status === 'fulfilled') done.push(id)
        else if (isPermanent(result?.reason) && isEventMessage(message)) {
          refused.push(id)
          const fields = { event: 'outbox.refused', bus: bus.name, id, err: result?.reason }
          log?.warn(fields, 'an event of the outbox can never be sent, and is set aside')
        }
      }
      if (done.length > 0) await tx.delete(cacheOutbox).where(inArray(cacheOutbox.id, done))
      if (refused.length > 0) {
        const setAside = { bus: `${bus.name}:refused` }
        await tx.update(cacheOutbox).set(setAside).where(inArray(cacheOutbox.id, refused))
      }
      const failed = rows.length - done.length - refused.length
      return { relayed: done.length, failed, refused: refused.length }
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

  async function drain(given?: {
    timeoutMs?: number
  }): Promise<{ outcome: 'drained' | 'pending' }> {
    const { timeoutMs = 1_000 } = readOptions('drain', given)
    checkWhole('timeoutMs', timeoutMs, 0)
    const newest = await newestWaiting()
    if (newest === undefined) return { outcome: 'drained' }
    // A pause of this process does not shorten the wait for another instance.
    const late = new AbortController()
    const cancel = setAwakeTimeout(() => late.abort(), timeoutMs)
    try {
      for (;;) {
        const { failed } = await relay()
        if ((await newestWaiting(newest)) === undefined) return { outcome: 'drained' }
        if (failed > 0 || late.signal.aborted) return { outcome: 'pending' }
        // Another instance has its hands on what is left.
        await pause(5)
      }
    } finally {
      cancel()
    }
  }

  async function takeTurn() {
    for (;;) {
      const { relayed, refused } = await relay()
      if (relayed + refused < 100) return
    }
  }

  const turns = repeat({ task: 'outbox.relay', work: takeTurn, everyMs, log })

  return {
    invalidate: async (tx, cache, keys) => add(tx, createKeysMessages(cache, keys)),
    invalidateTag: async (tx, tags) => add(tx, createTagMessages(tags)),
    clear: async (tx, cache) => add(tx, [createClearMessage(cache)]),
    emit: async (tx, event, data) => add(tx, [createEventMessage(bus, event, data)]),
    relay,
    drain,
    close: () => turns.close(),
  }
}
