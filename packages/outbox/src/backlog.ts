import { type Database, schema } from '@repo/database'
import { asc, count, eq, min, sql } from 'drizzle-orm'

const { cacheOutbox } = schema

/** A longer queue is counted as this number of rows, so that a look costs a bounded time. */
const MAX_ROWS = 10_000

/** The waiting rows of an outbox, as this instance saw them in its last turn. */
export interface Backlog {
  /** The number of waiting rows, at most 10,000. */
  pending(): number
  /** The age of the oldest waiting row in seconds; 0 without one. */
  oldestSeconds(): number
  /** The number of events that this instance has set aside, because they can never be sent. */
  refused(): number
}

/** Follows the waiting rows. A turn without one costs no query for this. */
export function createBacklog(db: Database, bus: string) {
  let pending = 0
  let oldestSinceMs = 0
  let refused = 0

  function clear(): void {
    pending = 0
  }

  return {
    pending: () => pending,
    // A row also ages while PostgreSQL, and so the next look, is unavailable.
    oldestSeconds: () => (pending === 0 ? 0 : (performance.now() - oldestSinceMs) / 1_000),
    refused: () => refused,
    /** Records that no row waits. */
    clear,
    /** Records events that were set aside. */
    refuse(events: number): void {
      refused += events
    },
    /** Counts the waiting rows. Ages are by the clock of PostgreSQL. */
    async look(): Promise<void> {
      const rows = db
        .select({ createdAt: cacheOutbox.createdAt })
        .from(cacheOutbox)
        .where(eq(cacheOutbox.bus, bus))
        .orderBy(asc(cacheOutbox.id))
        .limit(MAX_ROWS)
        .as('rows')
      const age = sql<number>`extract(epoch from clock_timestamp() - ${min(rows.createdAt)})::float8`
      const [found] = await db.select({ waiting: count(), age }).from(rows)
      if (!found || found.waiting === 0) return clear()
      pending = found.waiting
      oldestSinceMs = performance.now() - Math.max(0, found.age) * 1_000
    },
  }
}

/**
 * Returns the figures of an outbox, for Prometheus. Their shape is that of `@repo/observability`. All
 * instances have the same rows, so an alert uses the maximum, not the sum.
 */
export function outboxFigures({ backlog }: { backlog: Backlog }) {
  return [
    {
      name: 'threefold_outbox_pending',
      help: 'Messages that are committed and not sent yet, at the last turn of this instance',
      kind: 'gauge' as const,
      read: () => backlog.pending(),
    },
    {
      name: 'threefold_outbox_oldest_seconds',
      help: 'The age of the oldest message that is not sent yet; 0 without one',
      kind: 'gauge' as const,
      read: () => backlog.oldestSeconds(),
    },
    {
      name: 'threefold_outbox_refused_total',
      help: 'Events that can never be sent and were set aside',
      kind: 'counter' as const,
      read: () => backlog.refused(),
    },
  ]
}
