import { type Database, type DatabaseConnection, schema } from '@repo/database'
import { and, eq, inArray, ne, or, type SQL } from 'drizzle-orm'
import { checkId, readOnce } from '../checks.ts'
import { SessionError } from '../errors.ts'
import { checkSettleOptions, type Settle, type Settlement, type SettleOptions } from './settle.ts'

const { session, user } = schema

/** Sessions that one statement deletes, with a tombstone and an entry of the outbox for each. */
const AT_ONCE = 2_000

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
            target.of === undefined ? undefined : eq(session.userId, target.of),
          ),
        )
        .returning({ id: session.id })
      return gone.length
    }
    const { userId, except } = target
    return db.transaction(async (tx) => {
      // Sign-ins that are under way come before or after: none slips through.
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

/** In statements of which each ends within the deadline of a query. @returns their number */
async function deleteAll(tx: Pick<Database, 'select' | 'delete'>, where: SQL | undefined) {
  let revoked = 0
  for (;;) {
    const some = tx.select({ id: session.id }).from(session).where(where).limit(AT_ONCE)
    const gone = await tx
      .delete(session)
      .where(inArray(session.id, some))
      .returning({ id: session.id })
    revoked += gone.length
    if (gone.length < AT_ONCE) return revoked
  }
}

/** An empty `of` or `except` must not act as if it were absent. @throws SessionError `bad-argument` */
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
