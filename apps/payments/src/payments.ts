import { createHash, randomUUIDv7 } from 'node:crypto'
import type { PaymentOrder } from '@repo/api'
import { type Database, schema } from '@repo/database'
import type { Transaction } from '@repo/idempotency'
import { and, desc, eq } from 'drizzle-orm'
import type { Deliveries } from './webhooks/deliveries.ts'

const { ledgerEntry, payment, paymentDelivery } = schema

export type Payment = Omit<typeof payment.$inferSelect, 'payerId'>

const LIST_LIMIT = 100

const columns = {
  id: payment.id,
  amount: payment.amount,
  currency: payment.currency,
  reference: payment.reference,
  createdAt: payment.createdAt,
}

export interface PaymentsDeps {
  db: Database
  deliveries: Pick<Deliveries, 'isOn' | 'wake'>
}

/** Payments in PostgreSQL. A payer sees and makes only their payments. */
export function createPayments({ db, deliveries }: PaymentsDeps) {
  /**
   * Writes one payment, its ledger entries and the message about it in the transaction of the caller.
   *
   * @param key the `Idempotency-Key` of the message; derived from the payment by default
   */
  async function add(
    tx: Transaction,
    payerId: string,
    { amount, currency, ...order }: PaymentOrder,
    key?: string,
  ): Promise<Payment> {
    const row = { id: randomUUIDv7(), payerId, amount, currency, ...order }
    const [created] = await tx.insert(payment).values(row).returning(columns)
    if (!created) throw new Error('the insert returned no row')
    const entry = { paymentId: created.id, currency, createdAt: created.createdAt }
    await tx.insert(ledgerEntry).values([
      { ...entry, account: `payer:${payerId}`, amount: -amount },
      { ...entry, account: 'merchant', amount },
    ])
    if (deliveries.isOn) await tx.insert(paymentDelivery).values(messageOf(created, key))
    return created
  }

  return {
    add,
    /**
     * Commits one payment. Its statements run in a transaction, because a server that hangs executes
     * the statements it received when it continues, long after the 503. It has received only BEGIN.
     */
    async create(payerId: string, order: PaymentOrder): Promise<Payment> {
      return db.transaction((tx) => add(tx, payerId, order))
    },
    /** Sends the messages of committed payments now. The caller does not wait for them. */
    announce(): void {
      deliveries.wake()
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

/** The body is stored, so that each attempt sends the same bytes. */
function messageOf(made: Payment, key: string | undefined) {
  return {
    id: randomUUIDv7(),
    key: key ?? createHash('sha256').update(`payment ${made.id}`).digest('base64url'),
    body: JSON.stringify({ type: 'payment.made', timestamp: made.createdAt, data: made }),
  }
}
