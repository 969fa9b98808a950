import { isNotNull, sql } from 'drizzle-orm'
import {
  type AnyPgColumn,
  boolean,
  check,
  index,
  integer,
  pgTable,
  text,
  timestamp,
  unique,
  uuid,
} from 'drizzle-orm/pg-core'

const at = (name: string) => timestamp(name, { withTimezone: true })
const createdAt = at('created_at').notNull().defaultNow()
const updatedAt = at('updated_at').notNull().defaultNow()

/**
 * JSON: the credential versions, by user id, on which the writer of the row relies. A trigger compares
 * them in the transaction of the write. Null in rows of a release that does not compare.
 */
const credentialVersions = () => text('credential_versions')

export const user = pgTable(
  'user',
  {
    id: text('id').primaryKey(),
    name: text('name').notNull(),
    email: text('email').notNull().unique(),
    emailVerified: boolean('email_verified').notNull().default(false),
    image: text('image'),
    role: text('role').notNull().default('user'),
    banned: boolean('banned').notNull().default(false),
    banReason: text('ban_reason'),
    banExpires: at('ban_expires'),
    /**
     * Triggers renew it with each change that must end a sign-in in flight: the password, the e-mail,
     * the role, a ban, an unlinked account.
     */
    credentialVersion: uuid('credential_version').notNull().defaultRandom(),
    createdAt,
    updatedAt,
  },
  // Better Auth reads a list of roles, other services compare the whole text.
  (table) => [check('user_role', sql`${table.role} in ('user', 'admin')`)],
)

export const session = pgTable(
  'session',
  {
    id: text('id').primaryKey(),
    token: text('token').notNull().unique(),
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    expiresAt: at('expires_at').notNull(),
    ipAddress: text('ip_address'),
    userAgent: text('user_agent'),
    /** The administrator who acts for the user in this session. */
    impersonatedBy: text('impersonated_by'),
    /** The administrator's own session, with which this one ends. */
    sourceSessionId: text('source_session_id').references((): AnyPgColumn => session.id, {
      onDelete: 'cascade',
    }),
    credentialVersions: credentialVersions(),
    /** To a minute; written in batches by `@repo/session`. */
    lastSeenAt: at('last_seen_at').notNull().defaultNow(),
    /** SHA-256 (hex) of the token before the last rotation, which parallel requests may still carry. */
    previousKey: text('previous_key'),
    createdAt,
    updatedAt,
  },
  (table) => [
    index('session_user_id').on(table.userId),
    index('session_impersonated_by')
      .on(table.impersonatedBy)
      .where(isNotNull(table.impersonatedBy)),
    index('session_source').on(table.sourceSessionId).where(isNotNull(table.sourceSessionId)),
  ],
)

/**
 * Tokens that were good once, by their SHA-256 (hex), and why they are not any more. Written by
 * triggers in the statement that ends them.
 */
export const sessionTombstone = pgTable(
  'session_tombstone',
  {
    key: text('key').primaryKey(),
    sessionId: text('session_id').notNull(),
    userId: text('user_id').notNull(),
    reason: text('reason', { enum: ['revoked', 'banned', 'deleted', 'rotated'] }).notNull(),
    at: at('at').notNull().defaultNow(),
  },
  (table) => [index('session_tombstone_at').on(table.at)],
)

/** One row at most: how many sessions a user may have. Read by the trigger that admits sessions. */
export const sessionPolicy = pgTable(
  'session_policy',
  {
    only: boolean('only').primaryKey().default(true),
    maxSessions: integer('max_sessions').notNull(),
    onExceeded: text('on_exceeded', { enum: ['reject', 'evict-oldest'] }).notNull(),
  },
  (table) => [
    check('session_policy_only', sql`${table.only}`),
    check('session_policy_positive', sql`${table.maxSessions} > 0`),
  ],
)

export const account = pgTable(
  'account',
  {
    id: text('id').primaryKey(),
    accountId: text('account_id').notNull(),
    providerId: text('provider_id').notNull(),
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    accessToken: text('access_token'),
    refreshToken: text('refresh_token'),
    idToken: text('id_token'),
    accessTokenExpiresAt: at('access_token_expires_at'),
    refreshTokenExpiresAt: at('refresh_token_expires_at'),
    scope: text('scope'),
    password: text('password'),
    credentialVersions: credentialVersions(),
    createdAt,
    updatedAt,
  },
  (table) => [
    // Without it a double click on a social sign-in makes two accounts and locks the user out.
    unique('account_provider_account').on(table.providerId, table.accountId),
    index('account_user_id').on(table.userId),
  ],
)

export const verification = pgTable(
  'verification',
  {
    id: text('id').primaryKey(),
    identifier: text('identifier').notNull(),
    value: text('value').notNull(),
    expiresAt: at('expires_at').notNull(),
    createdAt,
    updatedAt,
  },
  (table) => [index('verification_identifier').on(table.identifier)],
)
