import { type DatabaseConnection, schema } from '@repo/database'
import { and, desc, eq, gt, sql } from 'drizzle-orm'
import { checkId, checkNumber, readOnce } from './checks.ts'

/** A session as its user sees it, without the token. */
export interface Device {
  id: string
  agent: string | null
  address: string | null
  createdAt: Date
  /** Exact to a minute and a half. */
  lastSeenAt: Date
  expiresAt: Date
}

/** Selects the sessions of a user that are listed. */
export interface ListOptions {
  /** At most this many, from 1 to 1,000; 100 by default. */
  limit?: number | undefined
  /** The id of a session that is listed first if the user has it, such as the caller's own. */
  first?: string | undefined
}

/** The live sessions of a user, the last used first. */
export async function listDevices(
  { db }: DatabaseConnection,
  userId: string,
  options: ListOptions = {},
): Promise<Device[]> {
  checkId('userId', userId)
  const { limit = 100, first } = readOnce('bad-argument', 'options', options)
  checkNumber('bad-argument', 'limit', limit, { min: 1, max: 1_000, isInteger: true })
  if (first !== undefined) checkId('first', first)
  const { session } = schema
  const isFirst = first === undefined ? [] : [desc(eq(session.id, first))]
  return db
    .select({
      id: session.id,
      // Earlier releases stored user agents of any length.
      agent: sql<string | null>`left(${session.userAgent}, 256)`,
      address: session.ipAddress,
      createdAt: session.createdAt,
      lastSeenAt: session.lastSeenAt,
      expiresAt: session.expiresAt,
    })
    .from(session)
    .where(and(eq(session.userId, userId), gt(session.expiresAt, sql`now()`)))
    .orderBy(...isFirst, desc(session.lastSeenAt), session.id)
    .limit(limit)
}
