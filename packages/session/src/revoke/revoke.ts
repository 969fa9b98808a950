import { type Database, type DatabaseConnection, schema } from '@repo/database'
import { and, eq, inArray, ne, or, type SQL } from 'drizzle-orm'
import { checkId, readOnce } from '../checks.ts'
import { SessionError } from '../errors.ts'
import { checkSettleOptions, type Settle, type Settlement, type SettleOptions } from './settle.ts'

const { session, user } = schema

/** The sessions of one statement, each with a tombstone and an entry of the outbox. */
const CHUNK = 2_000

/**
 * Either one session: with `of` only if it belongs to this user, and with `withSource` together with
 * the session from which the administrator acts. Or all sessions of a user, except one.
 */
export type RevokeTarget =
  | { sessionId: string; of?: string | undefined; withSource?: boolean }
  | { userId: string; except?: string | undefined }

export type Revocation = Settlement & {
  /** The number of sessions that ended. */
  revoked: number
}

/** Ends sessions in PostgreSQL. Its triggers write the messages in the same transaction (S6). */
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
      const deleted = await db
        .delete(session)
        .where(
          and(
            withSource ? or(isTarget, inArray(session.id, source)) : isTarget,
            target.of === undefined ? undefined : eq(session.userId, target.of),
          ),
        )
        .returning({ id: session.id })
      return deleted.length
    }
    const { userId, except } = target
    return db.transaction(async (tx) => {
      // The lock orders concurrent sign-ins before or after this transaction (S6).
      await tx.select({ id: user.id }).from(user).where(eq(user.id, userId)).for('no key update')
      const others = and(
        eq(session.userId, userId),
        except === undefined ? undefined : ne(session.id, except),
      )
      return deleteAll(tx, others)
    })
  }

  return async (given: RevokeTarget, options?: SettleOptions): Promise<Revocation> => {
    const target = checkTarget(given)
    checkSettleOptions(options)
    const revoked = await end(target)
    return { revoked, ...(await settle(options)) }
  }
}

/** Deletes in chunks, so that each statement ends within its deadline. @returns the number of sessions */
async function deleteAll(tx: Pick<Database, 'select' | 'delete'>, where: SQL | undefined) {
  let revoked = 0
  for (;;) {
    const chunk = tx.select({ id: session.id }).from(session).where(where).limit(CHUNK)
    const deleted = await tx
      .delete(session)
      .where(inArray(session.id, chunk))
      .returning({ id: session.id })
    revoked += deleted.length
    if (deleted.length < CHUNK) return revoked
  }
}

/** An empty `of` or `except` must not be treated as absent. @throws SessionError `bad-argument` */
function checkTarget(given: RevokeTarget): RevokeTarget {
  const target = readOnce('bad-argument', 'target', given)
  if ('sessionId' in target === 'userId' in target) {
    throw new SessionError('bad-argument', 'target must have either sessionId or userId')
  }
  if ('sessionId' in target) {
    checkId('target.sessionId', target.sessionId)
    if (target.of !== undefined) checkId('target.of', target.of)
    const { withSource } = target
    if (withSource === undefined || typeof withSource === 'boolean') return target
    throw new SessionError('bad-argument', 'target.withSource must be true or false')
  }
  checkId('target.userId', target.userId)
  if (target.except !== undefined) checkId('target.except', target.except)
  return target
}
