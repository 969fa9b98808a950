import { type DatabaseConnection, schema } from '@repo/database'
import { and, eq, inArray, ne, or } from 'drizzle-orm'
import type { Settle, Settlement, SettleOptions } from './settle.ts'

const { session, user } = schema

/**
 * One session, if need be only if it is this user's, or with the administrator's own session from
 * which it impersonates; or all of a user but the one that asks.
 */
export type RevokeTarget =
  | { sessionId: string; of?: string | undefined; withSource?: boolean }
  | { userId: string; except?: string | undefined }

export type Revocation = Settlement & {
  /** Sessions that were there and are not any more. */
  revoked: number
}

/** Ends sessions in PostgreSQL, whose triggers write down in the same transaction whom to tell. */
export function createRevoke(database: DatabaseConnection, settle: Settle) {
  const { db } = database

  async function end(target: RevokeTarget): Promise<number> {
    if ('sessionId' in target) {
      const { sessionId, withSource } = target
      const source = db
        .select({ id: session.sourceSessionId })
        .from(session)
        .where(eq(session.id, sessionId))
      const isTarget = eq(session.id, sessionId)
      const gone = await db
        .delete(session)
        .where(
          and(
            withSource ? or(isTarget, inArray(session.id, source)) : isTarget,
            target.of ? eq(session.userId, target.of) : undefined,
          ),
        )
        .returning({ id: session.id })
      return gone.length
    }
    const { userId, except } = target
    return db.transaction(async (tx) => {
      // Sign-ins that are under way come before or after: none slips through.
      await tx.select({ id: user.id }).from(user).where(eq(user.id, userId)).for('no key update')
      const others = and(eq(session.userId, userId), except ? ne(session.id, except) : undefined)
      return (await tx.delete(session).where(others).returning({ id: session.id })).length
    })
  }

  return async (target: RevokeTarget, options?: SettleOptions): Promise<Revocation> => {
    const revoked = await end(target)
    return { revoked, ...(await settle(options)) }
  }
}
