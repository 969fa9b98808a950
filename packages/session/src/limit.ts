import { type BackgroundLog, retryInBackground } from '@repo/concurrency'
import { type DatabaseConnection, schema } from '@repo/database'

/** How many sessions a user may have at once, and what the next sign-in does. */
export interface SessionLimit {
  max: number
  onExceeded: 'reject' | 'evict-oldest'
}

/**
 * Sets the limit for the whole cluster, or takes it away. It is kept in PostgreSQL and exact under
 * any number of sign-ins at once, on any instance. A limit that is already set is not written, so
 * that an instance can start on a database that is read-only.
 */
export async function setSessionLimit(
  { db }: DatabaseConnection,
  limit: SessionLimit | undefined,
): Promise<void> {
  const { sessionPolicy } = schema
  const [current] = await db.select().from(sessionPolicy)
  if (current?.maxSessions === limit?.max && current?.onExceeded === limit?.onExceeded) return
  if (!limit) {
    await db.delete(sessionPolicy)
    return
  }
  const policy = { maxSessions: limit.max, onExceeded: limit.onExceeded }
  await db
    .insert(sessionPolicy)
    .values(policy)
    .onConflictDoUpdate({ target: sessionPolicy.only, set: policy })
}

/**
 * Sets the limit of an instance that starts: at once, else in the background until the database
 * accepts it. Until then the limit before holds.
 *
 * @returns how to stop
 */
export async function applySessionLimit({
  database,
  limit,
  log,
}: {
  database: DatabaseConnection
  limit: SessionLimit | undefined
  log: BackgroundLog
}): Promise<() => void> {
  const work = () => setSessionLimit(database, limit)
  try {
    await work()
    return () => undefined
  } catch {
    return retryInBackground({ task: 'session.limit', work, log })
  }
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
