import type { IncomingMessage } from 'node:http'
import type { ProblemOptions } from '@repo/service'
import { type HttpBindings, ProblemError, unavailable } from '@repo/service/hono'
import type { Validation } from '@repo/session'
import type { Context } from 'hono'
import type { KeyRecord } from './keys/records.ts'

export type SignedIn = Extract<Validation, { outcome: 'valid' }>

/** The environment of the gateway's own routes: the request of node:http in addition to Hono's. */
export interface RouteEnv {
  Bindings: HttpBindings
}

const checks = new WeakMap<IncomingMessage, Validation>()

/** Stores the session check, which runs once before limits, for the route of the request. */
export function storeCheck(req: IncomingMessage, check: Validation): void {
  checks.set(req, check)
}

const keys = new WeakMap<IncomingMessage, KeyRecord>()

/** Stores the API key of the caller for the route of the request. */
export function storeKey(req: IncomingMessage, key: KeyRecord): void {
  keys.set(req, key)
}

/** The API key of the caller; undefined: a session decides. */
export function keyOf(c: Context<RouteEnv>): KeyRecord | undefined {
  return keys.get(c.env.incoming)
}

export function isSignedIn(check: Validation): check is SignedIn {
  return check.outcome === 'valid'
}

/**
 * The problem for a caller without a valid session. A 401 during an outage would sign users out.
 */
export function notSignedIn({ outcome }: Validation): ProblemOptions {
  if (outcome === 'unavailable') return unavailable
  return { status: 401, code: 'signed-out', detail: 'Sign in to continue.' }
}

/**
 * The signed-in caller of the gateway's own routes. The response is not cached, and carries the
 * session cookies that the check renewed.
 * @throws ProblemError 401 unless signed in, 503 if no store can check the session
 */
export function callerOf(c: Context<RouteEnv>): SignedIn {
  const check = checks.get(c.env.incoming) ?? { outcome: 'none' }
  if (!isSignedIn(check)) throw new ProblemError(notSignedIn(check))
  c.header('cache-control', 'private, no-store')
  if (check.setCookie) c.header('set-cookie', check.setCookie, { append: true })
  return check
}

/** @throws ProblemError 403 unless the caller is an administrator, and as `callerOf` */
export function administratorOf(c: Context<RouteEnv>): SignedIn {
  const signedIn = callerOf(c)
  if (signedIn.user.role === 'admin') return signedIn
  const detail = 'Only administrators can use this route.'
  throw new ProblemError({ status: 403, code: 'administrators-only', detail })
}
