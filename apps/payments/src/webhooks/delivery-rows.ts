import { type Database, schema } from '@repo/database'
import { and, asc, count, eq, inArray, lte, min, sql } from 'drizzle-orm'

const { paymentDelivery } = schema

/** A longer queue is counted as this number of rows, so that a look costs a bounded time. */
const MAX_COUNTED = 10_000

/** A message whose lease this instance has. */
export type Delivery = Pick<typeof paymentDelivery.$inferSelect, 'id' | 'key' | 'body' | 'attempts'>

/** Read once for each statement: for a comparison with each row, the server would read the whole index. */
const now = sql`(select clock_timestamp())`
const later = (ms: number) => sql`clock_timestamp() + ${ms}::float8 * interval '1 ms'`

/** The waiting messages of all instances, in PostgreSQL. Times are by its clock. */
export function createDeliveryRows(db: Database) {
  return {
    /**
     * Claims at most `limit` messages that are due. Rows that another instance is claiming are left to
     * it. A claim ends after `leaseMs`, so an instance that ended holds no message for longer.
     */
    claim(limit: number, leaseMs: number): Promise<Delivery[]> {
      const due = db
        .$with('due')
        .as(
          db
            .select({ id: paymentDelivery.id })
            .from(paymentDelivery)
            .where(lte(paymentDelivery.dueAt, now))
            .orderBy(asc(paymentDelivery.dueAt))
            .limit(limit)
            .for('update', { skipLocked: true }),
        )
      return db
        .with(due)
        .update(paymentDelivery)
        .set({ attempts: sql`${paymentDelivery.attempts} + 1`, dueAt: later(leaseMs) })
        .where(inArray(paymentDelivery.id, db.select({ id: due.id }).from(due)))
        .returning({
          id: paymentDelivery.id,
          key: paymentDelivery.key,
          body: paymentDelivery.body,
          attempts: paymentDelivery.attempts,
        })
    },
    /** Deletes a message that the receiver has acknowledged, also if another instance has its lease. */
    async remove({ id }: Delivery): Promise<void> {
      await db.delete(paymentDelivery).where(eq(paymentDelivery.id, id))
    },
    /** Ends the claim: the next attempt begins after the pause. A later claim stays. */
    async retry({ id, attempts }: Delivery, pauseMs: number): Promise<void> {
      const isClaimed = and(eq(paymentDelivery.id, id), eq(paymentDelivery.attempts, attempts))
      await db
        .update(paymentDelivery)
        .set({ dueAt: later(pauseMs) })
        .where(isClaimed)
    },
    /** The number of waiting messages, at most 10,000, and the age of the oldest in seconds. */
    async backlog(): Promise<{ pending: number; oldestSeconds: number }> {
      const rows = db
        .select({ createdAt: paymentDelivery.createdAt })
        .from(paymentDelivery)
        .orderBy(asc(paymentDelivery.id))
        .limit(MAX_COUNTED)
        .as('rows')
      const age = sql<
        number | null
      >`extract(epoch from clock_timestamp() - ${min(rows.createdAt)})::float8`
      const [found] = await db.select({ pending: count(), age }).from(rows)
      return { pending: found?.pending ?? 0, oldestSeconds: Math.max(0, found?.age ?? 0) }
    },
  }
}
