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
import { type Backlog, createBacklog } from './backlog.ts'
import { checkStorable, type OutboxTrace, send } from './rows.ts'

const { cacheOutbox } = schema

/** Whether no release that can send the row seems to run. By the clock of PostgreSQL. */
const isLeft = sql<boolean>`${cacheOutbox.createdAt} < now() - interval '10 s'`

/** A transaction of `@repo/database`, or the database itself. */
export type OutboxTransaction = Pick<Database, 'insert'>

/** Messages that reach every instance if their transaction commits, even if a process then ends. */
export interface Outbox {
  /**
   * @throws CacheError `bad-key`, `bad-option`, and for an event `unserialisable` or `too-large`, before
   * anything is written; the error of an insert that fails
   */
  invalidate(tx: OutboxTransaction, cache: string, keys: string | string[]): Promise<void>
  invalidateTag(tx: OutboxTransaction, tags: string | string[]): Promise<void>
  clear(tx: OutboxTransaction, cache: string): Promise<void>
  /** Handlers may receive an event more than once. */
  emit(tx: OutboxTransaction, event: string, data?: unknown): Promise<void>
  /**
   * Sends at most 100 waiting rows. The caller runs it after the commit, so that the messages are sent
   * before the next turn. `failed` rows stay. An event that can never be sent is set aside as `refused`,
   * under the name of the bus with the suffix `:refused`. A row of another kind that no release has sent
   * for 10 s is forwarded: it invalidates all cached values.
   */
  relay(): Promise<Relayed>
  /**
   * Sends all waiting rows, and waits for the rows that another instance is sending. The outcome is
   * `drained` when Redis has acknowledged each row that was committed before the call.
   */
  drain(options?: { timeoutMs?: number }): Promise<{ outcome: 'drained' | 'pending' }>
  /** The last look of this instance that found no row. Every row that was committed before it was sent. */
  lastEmpty(): EmptyLook
  /** The waiting rows at the last turn of this instance, for `outboxFigures`. */
  readonly backlog: Backlog
  /** Stops the turns, and waits for the turn in progress. */
  close(): Promise<void>
}

/** Monotonic times in ms before and after a look that found no row; 0 before the first one. */
export interface EmptyLook {
  readonly askedAtMs: number
  readonly foundAtMs: number
}

export interface Relayed {
  relayed: number
  failed: number
  refused: number
}

/** Options of an outbox. */
export interface OutboxOptions {
  bus: Bus
  db: Database
  /** The interval at which each instance looks for waiting rows, in ms. */
  everyMs?: number
  log?: ConnectionLog
  /** Links the span of a row to the recorded request that wrote it. Without it, no row has a span. */
  trace?: OutboxTrace | undefined
}

/**
 * Creates an outbox, which loses no message. A row is written in the transaction of its change, and
 * deleted in the transaction that received the acknowledgement of Redis. An instance that relays a row
 * may end at any point: the row then stays, and is sent again. Only an event has an effect when it is
 * sent twice.
 *
 * @throws CacheError `bad-option`
 */
export function createOutbox(options: OutboxOptions): Outbox {
  const { everyMs = 1_000 } = options
  checkMethods('bus', options.bus, ['emit', 'invalidate'])
  checkMethods('db', options.db, ['transaction', 'select'])
  checkWhole('everyMs', everyMs, 1)
  if (options.log !== undefined) checkMethods('log', options.log, ['info', 'warn'])
  if (options.trace !== undefined) checkMethods('trace', options.trace, ['current', 'begin'])
  const { bus, db, log, trace } = options
  /** Rows of a later release are left to its instances, unless none of them sends the row. */
  const canSend = and(
    eq(cacheOutbox.bus, bus.name),
    or(inArray(sql`message->>'kind'`, STORED_KINDS), isLeft),
  )

  const backlog = createBacklog(db, bus.name)
  let lastEmpty: EmptyLook = { askedAtMs: 0, foundAtMs: 0 }

  /** Looks may overlap: an earlier one does not replace a later one. */
  function noteEmpty(askedAtMs: number): void {
    if (askedAtMs < lastEmpty.askedAtMs) return
    lastEmpty = { askedAtMs, foundAtMs: performance.now() }
    backlog.clear()
  }

  async function add(tx: OutboxTransaction, messages: StoredMessage[]) {
    checkMethods('tx', tx, ['insert'])
    for (const message of messages) checkStorable(message)
    const shared = { bus: bus.name, traceparent: trace?.current() }
    await tx.insert(cacheOutbox).values(messages.map((message) => ({ ...shared, message })))
  }

  async function relay(): Promise<Relayed> {
    const turn = await db.transaction(async (tx) => {
      const rows = await tx
        .select({
          id: cacheOutbox.id,
          message: cacheOutbox.message,
          traceparent: cacheOutbox.traceparent,
          isLeft,
        })
        .from(cacheOutbox)
        .where(canSend)
        .orderBy(asc(cacheOutbox.id))
        .limit(100)
        // The rows that another instance is relaying are left to it, unless it ends.
        .for('update', { skipLocked: true })
      const sent = await Promise.allSettled(rows.map((row) => send(bus, row, { log, trace })))
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
    // After the commit: rows of a failed one are sent again.
    backlog.refuse(turn.refused)
    return turn
  }

  async function newestWaiting(upTo = Number.MAX_SAFE_INTEGER): Promise<number | undefined> {
    const waiting = and(eq(cacheOutbox.bus, bus.name), lte(cacheOutbox.id, upTo))
    const [row] = await db
      .select({ id: max(cacheOutbox.id) })
      .from(cacheOutbox)
      .where(waiting)
    return row?.id ?? undefined
  }

  async function drain(drainOptions?: {
    timeoutMs?: number
  }): Promise<{ outcome: 'drained' | 'pending' }> {
    const { timeoutMs = 1_000 } = readOptions('drain', drainOptions)
    checkWhole('timeoutMs', timeoutMs, 0)
    const askedAtMs = performance.now()
    const newest = await newestWaiting()
    if (newest === undefined) {
      noteEmpty(askedAtMs)
      return { outcome: 'drained' }
    }
    // A pause of this process does not shorten the wait for another instance.
    const late = new AbortController()
    const cancel = setAwakeTimeout(() => late.abort(), timeoutMs)
    try {
      for (;;) {
        const { failed } = await relay()
        if ((await newestWaiting(newest)) === undefined) {
          noteEmpty(askedAtMs)
          return { outcome: 'drained' }
        }
        if (failed > 0 || late.signal.aborted) return { outcome: 'pending' }
        // Another instance is sending the rest.
        await pause(5)
      }
    } finally {
      cancel()
    }
  }

  let waiting: { execute(): Promise<unknown[]> } | undefined

  /** One statement: a transaction that finds no row would cost three round trips, on every instance. */
  async function isWaiting(): Promise<boolean> {
    const askedAtMs = performance.now()
    waiting ??= db
      .select({ id: cacheOutbox.id })
      .from(cacheOutbox)
      .where(eq(cacheOutbox.bus, bus.name))
      .limit(1)
      .prepare('outbox-waiting')
    const isEmpty = (await waiting.execute()).length === 0
    if (isEmpty) noteEmpty(askedAtMs)
    return !isEmpty
  }

  async function takeTurn() {
    if (!(await isWaiting())) return
    for (;;) {
      const { relayed, refused } = await relay()
      if (relayed + refused < 100) break
    }
    // Rows that Redis did not accept, or that another instance is sending.
    await backlog.look()
  }

  const turns = repeat({ task: 'outbox.relay', work: takeTurn, everyMs, log })

  return {
    invalidate: async (tx, cache, keys) => add(tx, createKeysMessages(cache, keys)),
    invalidateTag: async (tx, tags) => add(tx, createTagMessages(tags)),
    clear: async (tx, cache) => add(tx, [createClearMessage(cache)]),
    emit: async (tx, event, data) => add(tx, [createEventMessage(bus, event, data)]),
    relay,
    drain,
    lastEmpty: () => lastEmpty,
    backlog,
    close: () => turns.close(),
  }
}
