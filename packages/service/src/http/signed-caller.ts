import { type Log, noteActor } from '@repo/observability'
import type { Context } from 'hono'
import { ProblemError, unavailable } from './hono.ts'
import { type Identities, type Identity, IDENTITY_HEADER } from './identity.ts'
import { isRefusedToActors, refusedToActors } from './impersonation.ts'

/**
 * Creates a function that returns the caller of a request in a service behind the gateway. The function
 * throws a ProblemError: 401 unless the gateway signed the identity for this request; 403 for a write by
 * an administrator who acts for a user; 503 for an identity in the format of another release.
 */
export function createSignedCaller({
  identities,
  log,
}: {
  identities: Identities
  log: Log
}): (c: Context) => Identity {
  return function signedCaller(c) {
    const { pathname, search } = new URL(c.req.url)
    const request = { method: c.req.method, path: pathname + search }
    const check = identities.verify(c.req.header(IDENTITY_HEADER), request)
    if (check.outcome === 'valid') {
      const { userId, actor } = check.identity
      noteActor(actor, userId)
      if (actor && isRefusedToActors(c.req.method, pathname)) {
        throw new ProblemError(refusedToActors)
      }
      return check.identity
    }
    if (check.outcome === 'unreadable') {
      log.warn({ event: 'identity.unreadable' }, 'the identity has the form of another release')
      throw new ProblemError(unavailable)
    }
    if (check.outcome === 'forged') {
      log.warn({ event: 'identity.forged' }, 'an identity with a wrong signature is refused')
    }
    throw new ProblemError({ status: 401, code: 'signed-out', detail: 'Sign in to continue.' })
  }
}
