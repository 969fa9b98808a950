import { sql } from 'drizzle-orm'
import { bigint, check, index, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'

/** Payments belong to the payments service: `payerId` is a user's id, but no foreign key of auth's. */
export const payment = pgTable(
  'payment',
  {
    id: uuid('id').primaryKey(),
    payerId: text('payer_id').notNull(),
    /** In the currency's minor unit (cents). */
    amount: bigint('amount', { mode: 'number' }).notNull(),
    currency: text('currency').notNull(),
    reference: text('reference').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    index('payment_payer').on(table.payerId, table.id.desc()),
    check('payment_amount_positive', sql`${table.amount} > 0`),
  ],
)
