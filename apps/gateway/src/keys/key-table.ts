import { type DatabaseConnection, schema } from '@repo/database'
import { sessionRefusal } from '@repo/session'
import { and, count, desc, eq, gt, isNull, sql } from 'drizzle-orm'
import { createKeyText, hashSecret, writeKeyText } from './key-text.ts'

const { apiKey, session, user } = schema

/** Keys of one user that are not revoked, at most. */
export const MAX_KEYS = 50

export interface NewKey {
  name: string
  scopes: readonly string[]
  /** From the creation, by the clock of the database; undefined: the key does not expire. */
  expiresInDays?: number | undefined
}

/** A key as its user sees it. The key itself is returned once, by `create`. */
export interface ListedKey {
  id: string
  name: string
  scopes: string[]
  createdAt: Date
  expiresAt: Date | null
  /** Exact to a minute. */
  lastUsedAt: Date | null
}

export type Creation =
  /** `text` is stored nowhere. */
  | { outcome: 'created'; text: string; key: ListedKey }
  /** The user has the maximum of keys. */
  | { outcome: 'too-many' }
  /** The session ended, or the user was banned or deleted, before the key was stored. */
  | { outcome: 'signed-out' }

const columns = {
  id: apiKey.id,
  name: apiKey.name,
  scopes: apiKey.scopes,
  createdAt: apiKey.createdAt,
  expiresAt: apiKey.expiresAt,
  lastUsedAt: apiKey.lastUsedAt,
}

/** The keys of users in PostgreSQL. Its triggers write the messages for all instances. */
export function createKeyTable({ db }: Pick<DatabaseConnection, 'db'>) {
  async function insert(
    caller: { userId: string; sessionId: string },
    { name, scopes, expiresInDays }: NewKey,
  ): Promise<Creation> {
    const { userId, sessionId } = caller
    const { id, secret } = createKeyText()
    return db.transaction(async (tx) => {
      // The lock orders the creation and a ban or another creation (K4). A ban locks the user before its
      // sessions too.
      await tx.select({ id: user.id }).from(user).where(eq(user.id, userId)).for('no key update')
      const isOwn = and(eq(session.id, sessionId), eq(session.userId, userId))
      const isLive = and(gt(session.expiresAt, sql`now()`), isNull(session.impersonatedBy))
      const [live] = await tx
        .select({ id: session.id })
        .from(session)
        .where(and(isOwn, isLive))
        .for('key share')
      if (!live) return { outcome: 'signed-out' }
      const [counted] = await tx
        .select({ keys: count() })
        .from(apiKey)
        .where(and(eq(apiKey.userId, userId), isNull(apiKey.revokedAt)))
      if ((counted?.keys ?? 0) >= MAX_KEYS) return { outcome: 'too-many' }
      const days = expiresInDays ?? null
      const [key] = await tx
        .insert(apiKey)
        .values({
          id,
          userId,
          name,
          hash: hashSecret(secret),
          scopes: [...scopes],
          expiresAt: sql`now() + make_interval(days => ${days}::int)`,
        })
        .returning(columns)
      if (!key) throw new Error('the insert returned no row')
      return { outcome: 'created', text: writeKeyText({ id, secret }), key }
    })
  }

  return {
    /** Creates a key while the session of its user is live. @throws an error of PostgreSQL */
    async create(caller: { userId: string; sessionId: string }, newKey: NewKey): Promise<Creation> {
      try {
        return await insert(caller, newKey)
      } catch (error) {
        if (sessionRefusal(error) === undefined) throw error
        return { outcome: 'signed-out' }
      }
    },
    /** The keys of a user that are not revoked, the newest first. */
    list: (userId: string): Promise<ListedKey[]> =>
      db
        .select(columns)
        .from(apiKey)
        .where(and(eq(apiKey.userId, userId), isNull(apiKey.revokedAt)))
        .orderBy(desc(apiKey.createdAt), apiKey.id)
        .limit(MAX_KEYS),
    /** @returns whether the user had such a key that was not revoked */
    async revoke(userId: string, id: string): Promise<boolean> {
      // In a transaction: a server that hangs executes the statements that it received when it
      // continues, long after the 503. It has received only BEGIN.
      return db.transaction(async (tx) => {
        const revoked = await tx
          .update(apiKey)
          .set({ revokedAt: sql`now()` })
          .where(and(eq(apiKey.id, id), eq(apiKey.userId, userId), isNull(apiKey.revokedAt)))
          .returning({ id: apiKey.id })
        return revoked.length > 0
      })
    },
  }
}
