import { ProblemError, unavailable } from '@repo/service/hono'
import type { Session, Sessions, SessionUser } from '@repo/session'

export interface SignedIn {
  session: Session
  user: SessionUser
}

/** @throws ProblemError 401 unless signed in, 503 when nobody can say */
export async function requireSession(
  sessions: Pick<Sessions, 'validate'>,
  cookie: string | undefined,
): Promise<SignedIn> {
  const check = await sessions.validate(cookie)
  if (check.outcome === 'valid') return check
  // A store that is away signs nobody out: clients drop their session on a 401.
  if (check.outcome === 'unavailable') throw new ProblemError(unavailable)
  throw new ProblemError({ status: 401, code: 'signed-out', detail: 'Sign in to continue.' })
}

/** @throws ProblemError 403 unless an administrator asks, and as `requireSession` */
export async function requireAdministrator(
  sessions: Pick<Sessions, 'validate'>,
  cookie: string | undefined,
): Promise<SignedIn> {
  const signedIn = await requireSession(sessions, cookie)
  if (signedIn.user.role === 'admin') return signedIn
  const detail = 'This is for administrators.'
  throw new ProblemError({ status: 403, code: 'administrators-only', detail })
}
