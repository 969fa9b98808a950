import type { IncomingMessage } from 'node:http'
import { type HttpBindings, ProblemError } from '@repo/service/hono'
import type { Validation } from '@repo/session'
import type { Context } from 'hono'
import { isSignedIn, notSignedIn, type SignedIn } from './signed-in.ts'

/** What the gateway's own routes know of a request beside Hono's: the request of node:http. */
export interface Own {
  Bindings: HttpBindings
}

const checks = new WeakMap<IncomingMessage, Validation>()

/** A request's session is checked once, before it is limited; its route finds the outcome here. */
export function rememberCheck(req: IncomingMessage, check: Validation): void {
  checks.set(req, check)
}

/**
 * Who asks a route of the gateway itself. Nothing of what they get is for caches, and a cookie that is
 * due goes with it.
 * @throws ProblemError 401 unless signed in, 503 when nobody can say
 */
export function callerOf(c: Context<Own>): SignedIn {
  const check = checks.get(c.env.incoming) ?? { outcome: 'none' }
  if (!isSignedIn(check)) throw new ProblemError(notSignedIn(check))
  c.header('cache-control', 'private, no-store')
  if (check.setCookie) c.header('set-cookie', check.setCookie, { append: true })
  return check
}

/** @throws ProblemError 403 unless an administrator asks, and as `callerOf` */
export function administratorOf(c: Context<Own>): SignedIn {
  const signedIn = callerOf(c)
  if (signedIn.user.role === 'admin') return signedIn
  const detail = 'This is for administrators.'
  throw new ProblemError({ status: 403, code: 'administrators-only', detail })
}
