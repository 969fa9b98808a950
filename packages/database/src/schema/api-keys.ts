import { index, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import { user } from './auth.ts'

const at = (name: string) => timestamp(name, { withTimezone: true })

/** Keys of programs that act for a user. The key itself is stored nowhere. */
export const apiKey = pgTable(
  'api_key',
  {
    /** The prefix of the key, which is not secret. */
    id: text('id').primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    name: text('name').notNull(),
    /** SHA-256 (base64url) of the secret, which has 256 random bits. */
    hash: text('hash').notNull(),
    scopes: text('scopes').array().notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
    expiresAt: at('expires_at'),
    /** To a minute; written in batches by the gateway. */
    lastUsedAt: at('last_used_at'),
    /** Set once, by its user or by a ban. A revoked key is never accepted again. */
    revokedAt: at('revoked_at'),
  },
  (table) => [index('api_key_user_id').on(table.userId)],
)
