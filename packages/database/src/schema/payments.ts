import { sql } from 'drizzle-orm'
import {
  bigint,
  check,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core'

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

/**
 * The double entry of each payment: one entry for each account. A trigger refuses a transaction after
 * which the entries of a payment do not sum to zero. Another one adds the entries of a payment that has
 * none, because an instance of the release before writes none.
 */
export const ledgerEntry = pgTable(
  'ledger_entry',
  {
    paymentId: uuid('payment_id')
      .notNull()
      .references(() => payment.id),
    account: text('account').notNull(),
    /** In the currency's minor unit: negative for a debit of the account, positive for a credit. */
    amount: bigint('amount', { mode: 'number' }).notNull(),
    currency: text('currency').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.paymentId, table.account] }),
    check('ledger_entry_amount_not_zero', sql`${table.amount} <> 0`),
  ],
)

/**
 * Messages about payments to another system, written in the transaction of the payment. A row exists
 * until the receiver has acknowledged its message.
 */
export const paymentDelivery = pgTable(
  'payment_delivery',
  {
    /** The id of the event. It is the same in each attempt. */
    id: uuid('id').primaryKey(),
    /** The `Idempotency-Key` for the receiver. It is the same in each attempt. */
    key: text('key').notNull(),
    /** The bytes that each attempt sends. */
    body: text('body').notNull(),
    /** The number of claims. The last one may record its failure. */
    attempts: integer('attempts').notNull().default(0),
    /** The next attempt begins no earlier. During an attempt it is the end of its lease. */
    dueAt: timestamp('due_at', { withTimezone: true }).notNull().defaultNow(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [index('payment_delivery_due').on(table.dueAt)],
)
