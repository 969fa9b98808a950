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

/** Payments in PostgreSQL. Everyone sees and makes only their own. */
export function createPayments({ db }: { db: Database }) {
  return {
    /**
     * Commits one payment. In a transaction, although it is one statement: a server that hangs runs
     * what it was sent when it wakes up, long after the payer was told 503. All it was sent is BEGIN.
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
      const mine = and(eq(payment.payerId, payerId), eq(payment.id, id))
      const [found] = await db.select(columns).from(payment).where(mine)
      return found
    },
  }
}

export type Payments = ReturnType<typeof createPayments>
