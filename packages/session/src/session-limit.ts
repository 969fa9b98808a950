import { type BackgroundLog, retryInBackground } from '@repo/concurrency'
import { type DatabaseConnection, schema } from '@repo/database'
import { checkNumber, readOnce } from './checks.ts'
import { SessionError } from './errors.ts'
import { requireParts } from './options.ts'

/** The maximum of sessions of a user, and the effect of a sign-in above it. */
export interface SessionLimit {
  max: number
  onExceeded: 'reject' | 'evict-oldest'
}

/**
 * Sets the limit for the whole cluster, or removes it. PostgreSQL stores it and applies it exactly to
 * concurrent sign-ins on all instances (S6). An unchanged limit is not written, so that an instance can
 * start on a read-only database.
 *
 * @throws SessionError `bad-option`
 */
export async function setSessionLimit(
  database: DatabaseConnection,
  given: SessionLimit | undefined,
): Promise<void> {
  const limit = readLimit(database, given)
  const { db } = database
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
 * Sets the limit at the start of an instance. If that fails, the limit is set in the background as soon
 * as the database accepts it. The previous limit applies until then.
 *
 * @returns a function that stops the attempts
 * @throws SessionError `bad-option`
 */
export async function applySessionLimit({
  database,
  limit: given,
  log,
}: {
  database: DatabaseConnection
  limit: SessionLimit | undefined
  log: BackgroundLog
}): Promise<() => void> {
  const limit = readLimit(database, given)
  const work = () => setSessionLimit(database, limit)
  try {
    await work()
    return () => undefined
  } catch {
    return retryInBackground({ task: 'session.limit', work, log })
  }
}

function readLimit(database: DatabaseConnection, given: SessionLimit | undefined) {
  requireParts('database', database, ['db'])
  if (given === undefined) return undefined
  const limit = readOnce('bad-option', 'limit', given)
  const { max, onExceeded } = limit
  checkNumber('bad-option', 'limit.max', max, { min: 1, max: 1_000_000, isInteger: true })
  if (onExceeded === 'reject' || onExceeded === 'evict-oldest') return limit
  throw new SessionError('bad-option', 'limit.onExceeded must be reject or evict-oldest')
}

const REFUSALS = {
  TF001: 'banned',
  TF002: 'limit',
  TF003: 'credentials-changed',
  TF004: 'impersonator-ended',
  TF005: 'last-administrator',
} as const

/** `other`: a refusal that a later release added to the database. */
export type SessionRefusal = (typeof REFUSALS)[keyof typeof REFUSALS] | 'other'

/** The SQLSTATEs of refusals by the triggers of this package. */
const REFUSAL = /^TF\d{3}$/

/** The number of wrapped errors that are searched: a chain of causes may be a circle. */
const MAX_CAUSES = 20

/**
 * The reason for which PostgreSQL refused a session or a password, also from a wrapped error. The user
 * is banned or has the maximum of sessions, or a credential changed after it was verified. Or the
 * impersonator is not a signed-in administrator, or no administrator would remain. `other` is a refusal
 * of a later release. Undefined is any other error.
 */
export function sessionRefusal(error: unknown): SessionRefusal | undefined {
  let current = error
  for (let depth = 0; depth < MAX_CAUSES && current instanceof Error; depth += 1) {
    const code = readProperty(current, 'code')
    for (const [state, refusal] of Object.entries(REFUSALS)) if (code === state) return refusal
    if (typeof code === 'string' && REFUSAL.test(code)) return 'other'
    current = readProperty(current, 'cause')
  }
  return undefined
}

/** Returns undefined if the error has a getter that throws. */
function readProperty(error: Error, name: 'code' | 'cause'): unknown {
  try {
    return Reflect.get(error, name)
  } catch {
    return undefined
  }
}
