import { type BackgroundLog, retryInBackground } from '@repo/concurrency'
import { type DatabaseConnection, schema } from '@repo/database'
import { checkNumber, readOnce } from './checks.ts'
import { SessionError } from './errors.ts'
import { requireParts } from './options.ts'

/** How many sessions a user may have at once, and what the next sign-in does. */
export interface SessionLimit {
  max: number
  onExceeded: 'reject' | 'evict-oldest'
}

/**
 * Sets the limit for the whole cluster, or takes it away. It is kept in PostgreSQL and exact under
 * any number of sign-ins at once, on any instance. A limit that is already set is not written, so
 * that an instance can start on a database that is read-only.
 *
 * @throws SessionError `bad-option`
 */
export async function setSessionLimit(
  database: DatabaseConnection,
  limit: SessionLimit | undefined,
): Promise<void> {
  checkLimit(database, limit)
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
 * Sets the limit of an instance that starts: at once, else in the background until the database
 * accepts it. Until then the limit before holds.
 *
 * @returns how to stop
 * @throws SessionError `bad-option`
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
  checkLimit(database, limit)
  const work = () => setSessionLimit(database, limit)
  try {
    await work()
    return () => undefined
  } catch {
    return retryInBackground({ task: 'session.limit', work, log })
  }
}

function checkLimit(database: DatabaseConnection, limit: SessionLimit | undefined): void {
  requireParts('database', database, ['db'])
  if (limit === undefined) return
  const { max, onExceeded } = readOnce('bad-option', 'limit', limit)
  checkNumber('bad-option', 'limit.max', max, { min: 1, max: 1_000_000, isInteger: true })
  if (onExceeded === 'reject' || onExceeded === 'evict-oldest') return
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

/** The SQLSTATEs of the database's own refusals. */
const REFUSAL = /^TF\d{3}$/

/** Errors may be wrapped this many times; a chain of causes may be a circle. */
const MAX_CAUSES = 20

/**
 * Why PostgreSQL refused a session or a password, through any wrapping of the error: the user is
 * banned; has as many sessions as are allowed; a credential changed after it was verified; or the
 * impersonator is not a signed-in administrator any more; or the change would leave no administrator.
 * `other` for a refusal of a later release, undefined for every other error.
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

/** Undefined where the error has a getter that throws. */
function readProperty(error: Error, name: 'code' | 'cause'): unknown {
  try {
    return Reflect.get(error, name)
  } catch {
    return undefined
  }
}
