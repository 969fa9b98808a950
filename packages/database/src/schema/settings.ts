import { jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core'

/** Settings that administrators change at run time. A setting without a row has its default. */
export const setting = pgTable('setting', {
  name: text('name').primaryKey(),
  value: jsonb('value').notNull(),
  updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
  updatedBy: text('updated_by').notNull(),
})
