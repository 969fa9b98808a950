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

const REFUSALS = {
  TF001: 'banned',
  TF002: 'limit',
  TF003: 'credentials-changed',
  TF004: 'impersonator-ended',
  TF005: 'last-administrator',
} as const

export type SessionRefusal = (typeof REFUSALS)[keyof typeof REFUSALS]

/**
 * Why PostgreSQL refused a session or a password, through any wrapping of the error: the user is
 * banned; has as many sessions as are allowed; a credential changed after it was verified; or the
 * impersonator is not a signed-in administrator any more; or the change would leave no administrator.
 * Undefined for every other error.
 */
export function sessionRefusal(error: unknown): SessionRefusal | undefined {
  if (!(error instanceof Error)) return undefined
  const code = 'code' in error ? error.code : undefined
  for (const [state, refusal] of Object.entries(REFUSALS)) if (code === state) return refusal
  return sessionRefusal(error.cause)
}
