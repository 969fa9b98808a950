import { randomUUIDv7 } from 'node:crypto'
import { type Database, schema } from '@repo/database'
import { and, desc, eq } from 'drizzle-orm'
import { z } from 'zod'

const { payment } = schema

/** What a payer asks for. `amount` is in the currency's minor unit. */
export const paymentOrder = z.strictObject({
  amount: z.int('must be a whole number of minor units').min(1).max(100_000_000),
  currency: z.enum(['EUR', 'USD', 'GBP', 'CHF']),
  // PostgreSQL keeps no NUL, and statements show no other control character.
  reference: z
    .string()
    .trim()
    .min(1)
    .max(140)
    .regex(/^\P{Cc}*$/u, 'must not contain control characters'),
})

export type PaymentOrder = z.infer<typeof paymentOrder>
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
