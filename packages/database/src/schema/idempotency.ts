import { sql } from 'drizzle-orm'
import {
  check,
  customType,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  timestamp,
} from 'drizzle-orm/pg-core'

const bytes = customType<{ data: Buffer }>({ dataType: () => 'bytea' })
const at = (name: string) => timestamp(name, { withTimezone: true })

/**
 * Requests that ran once, and their responses. Written by `postgresStore` of `@repo/idempotency`, in
 * the transaction of the work if it has one. The key of the client is stored nowhere.
 */
export const idempotencyKey = pgTable(
  'idempotency_key',
  {
    /** SHA-256 of the scope and the key. */
    id: bytes('id').primaryKey(),
    /** SHA-256 of the request. */
    fingerprint: bytes('fingerprint').notNull(),
    /** The fencing token of the attempt that holds the claim or has stored the record. */
    token: bytes('token').notNull(),
    state: text('state', { enum: ['pending', 'completed'] }).notNull(),
    attempt: integer('attempt').notNull().default(1),
    /** The end of a pending claim. By the clock of PostgreSQL, as all times here. */
    leaseUntil: at('lease_until'),
    /** The response, in the format of `@repo/idempotency`; sealed if its option says so. */
    record: bytes('record'),
    /** The results of finished steps: JSON as text, by name. */
    steps: jsonb('steps').$type<Record<string, string>>(),
    /** The time from which the row counts as absent, and is deleted in batches. */
    expiresAt: at('expires_at').notNull(),
  },
  (table) => [
    index('idempotency_key_expires_at').on(table.expiresAt),
    check(
      'idempotency_key_state',
      sql`case ${table.state} when 'pending' then ${table.leaseUntil} is not null and ${table.record} is null when 'completed' then ${table.record} is not null else false end`,
    ),
  ],
)
