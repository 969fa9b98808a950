import { type DatabaseConnection, schema } from '@repo/database'
import { sql } from 'drizzle-orm'

/** How many sessions a user may have at once, and what the next sign-in does. */
export interface SessionLimit {
  max: number
  onExceeded: 'reject' | 'evict-oldest'
}

/**
 * Sets the limit for the whole cluster, or takes it away. It is kept in PostgreSQL and exact under
 * any number of sign-ins at once, whoever makes them.
 */
export async function setSessionLimit(
  { db }: DatabaseConnection,
  limit: SessionLimit | undefined,
): Promise<void> {
  const { sessionPolicy } = schema
  if (!limit) {
    await db.delete(sessionPolicy)
    return
  }
  const policy = { maxSessions: limit.max, onExceeded: limit.onExceeded }
  await db
    .insert(sessionPolicy)
    .values(policy)
    .onConflictDoUpdate({
      target: sessionPolicy.only,
      set: policy,
      setWhere: sql`(session_policy.max_sessions, session_policy.on_exceeded) is distinct from (excluded.max_sessions, excluded.on_exceeded)`,
    })
}

/**
 * Why PostgreSQL refused to make a session, seen through any wrapping: its user is banned, or has as
 * many as are allowed. Undefined for every other error.
 */
export function sessionRefusal(error: unknown): 'banned' | 'limit' | undefined {
  if (!(error instanceof Error)) return undefined
  const code = 'code' in error ? error.code : undefined
  if (code === 'TF001') return 'banned'
  return code === 'TF002' ? 'limit' : sessionRefusal(error.cause)
}
