import { bigint, index, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core'

/**
 * What every instance has to be told because of a change, written in the transaction that makes
 * the change: a row is there until Redis has acknowledged its message. Written and relayed by
 * `createOutbox` of `@repo/outbox`.
 */
export const cacheOutbox = pgTable(
  'cache_outbox',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    bus: text('bus').notNull(),
    message: jsonb('message').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [index('cache_outbox_bus').on(table.bus, table.id)],
)
