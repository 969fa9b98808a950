import { bigint, index, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core'

/**
 * Messages to every instance about a change, written in the transaction of the change. A row exists
 * until Redis has acknowledged its message. Written and relayed by
 * `createOutbox` of `@repo/outbox`.
 */
export const cacheOutbox = pgTable(
  'cache_outbox',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    bus: text('bus').notNull(),
    message: jsonb('message').notNull(),
    /** The header of the recorded request that wrote the row. A release before this column writes none. */
    traceparent: text('traceparent'),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [index('cache_outbox_bus').on(table.bus, table.id)],
)
