import { randomUUIDv7 } from 'node:crypto'
import type { PaymentOrder } from '@repo/api'
import { type Database, schema } from '@repo/database'
import { and, desc, eq } from 'drizzle-orm'

const { payment } = schema

export type Payment = Omit<typeof payment.$inferSelect, 'payerId'>

const LIST_LIMIT = 100

const columns = {
  id: payment.id,
  amount: payment.amount,
  currency: payment.currency,
  reference: payment.reference,
  createdAt: payment.createdAt,
}

/** Payments in PostgreSQL. A payer sees and makes only their payments. */
export function createPayments({ db }: { db: Database }) {
  return {
    /**
     * Commits one payment. One statement runs in a transaction, because a server that hangs
     * executes the statements it received when it continues, long after the 503. It has received
     * only BEGIN.
     */
    create(payerId: string, order: PaymentOrder): Promise<Payment> {
      const row = { id: randomUUIDv7(), payerId, ...order }
      return db.transaction(async (tx) => {
        const [created] = await tx.insert(payment).values(row).returning(columns)
        if (!created) throw new Error('the insert returned no row')
        return created
      })
    },
    /** The payer's newest payments first, at most 100. */
    list(payerId: string): Promise<Payment[]> {
      return db
        .select(columns)
        .from(payment)
        .where(eq(payment.payerId, payerId))
        .orderBy(desc(payment.id))
        .limit(LIST_LIMIT)
    },
    async find(payerId: string, id: string): Promise<Payment | undefined> {
      const isOwn = and(eq(payment.payerId, payerId), eq(payment.id, id))
      const [found] = await db.select(columns).from(payment).where(isOwn)
      return found
    },
  }
}

export type Payments = ReturnType<typeof createPayments>
