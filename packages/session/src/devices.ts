import { type DatabaseConnection, schema } from '@repo/database'
import { and, desc, eq, gt, sql } from 'drizzle-orm'

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

/** The sessions of a user that are alive, the last seen first. */
export async function listDevices({ db }: DatabaseConnection, userId: string): Promise<Device[]> {
  const { session } = schema
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
    .orderBy(desc(session.lastSeenAt), session.id)
}
