import { type DatabaseConnection, schema } from '@repo/database'
import { and, desc, eq, gt, sql } from 'drizzle-orm'
import { checkId, checkNumber, readOnce } from './checks.ts'

/** A session as its user sees it: never the token. */
export interface Device {
  id: string
  agent: string | null
  address: string | null
  createdAt: Date
  /** To a minute and a half. */
  lastSeenAt: Date
  expiresAt: Date
}

/** Which sessions of a user are listed. */
export interface ListOptions {
  /** At most this many, from 1 to 1,000; 100 by default. */
  limit?: number | undefined
  /** The id of a session that is listed first if the user has it, such as the caller's own. */
  first?: string | undefined
}

/** The sessions of a user that are alive, the last seen first. */
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
      // Sign-ins of earlier releases stored it whole.
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
