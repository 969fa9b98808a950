import { IncomingMessage } from 'node:http'
import { type Log, noteActor, noteUser } from '@repo/observability'
import type { Context, Env, Hono } from 'hono'
import { ProblemError, unavailable } from '../http/hono.ts'
import type { Identity } from './caller.ts'
import type { Identities, IdentityCheck } from './identity.ts'
import { isRefusedToActors, refusedToActors } from './impersonation.ts'
import { claimOf, NO_BODY, STREAMED_BODY } from './version-2.ts'

const signedOut = { status: 401, code: 'signed-out', detail: 'Sign in to continue.' }

/**
 * Creates a function that returns the caller of a request in a service behind the gateway. Call it
 * before the routes are added: it adds a middleware that verifies each request, with its body, once. The
 * function throws a ProblemError: 401 unless the gateway signed the identity for this request; 403 for
 * a write by an administrator who acts for a user; 503 for an identity in the format of another release.
 */
export function createSignedCaller<E extends Env>({
  app,
  identities,
  log,
}: {
  app: Hono<E>
  identities: Identities
  log: Log
}): (c: Context) => Identity {
  const checks = new WeakMap<Context, IdentityCheck>()

  app.use(async (c, next) => {
    const check = identities.verify(receivedRequest(c))
    checks.set(c, check)
    // Hono gives the body of these methods to no route.
    const isRead = c.req.method !== 'GET' && c.req.method !== 'HEAD'
    if (isRead && check.outcome === 'valid' && check.body !== STREAMED_BODY) {
      await requireBody(c, check.body)
    }
    await next()
  })

  /** Hono caches the body, so the route reads the bytes that were compared. */
  async function requireBody(c: Context, claim: string): Promise<void> {
    const isSigned =
      claim === NO_BODY ? !hasBody(c) : claimOf(Buffer.from(await c.req.arrayBuffer())) === claim
    if (isSigned) return
    log.warn(
      { event: 'identity.forged' },
      'an identity that was signed for another body is refused',
    )
    throw new ProblemError(signedOut)
  }

  return function signedCaller(c) {
    const check = checks.get(c)
    if (!check) throw new Error('The route was added before createSignedCaller was called.')
    if (check.outcome === 'valid') {
      const { userId, actor } = check.identity
      noteUser(identities.hashUser(userId))
      noteActor(actor, userId)
      if (actor && isRefusedToActors(c.req.method, c.req.path)) {
        throw new ProblemError(refusedToActors)
      }
      return check.identity
    }
    if (check.outcome === 'unreadable') {
      log.warn({ event: 'identity.unreadable' }, 'the identity has the form of another release')
      throw new ProblemError(unavailable)
    }
    if (check.outcome === 'expired') {
      const message = 'an identity has expired: compare the clocks of this host and of the gateways'
      log.warn({ event: 'identity.expired' }, message)
    }
    if (check.outcome === 'forged') {
      log.warn({ event: 'identity.forged' }, 'an identity with a wrong signature is refused')
    }
    throw new ProblemError(signedOut)
  }
}

function receivedRequest(c: Context) {
  const incoming = incomingOf(c)
  return {
    method: c.req.method,
    target: incoming?.url ?? targetOf(c.req.url),
    header: (name: string) => (incoming ? incoming.headers[name]?.toString() : c.req.header(name)),
  }
}

/** Returns the request of node:http. A request that has no server, in a test, has none. */
function incomingOf(c: Context): IncomingMessage | undefined {
  const env: unknown = c.env
  if (typeof env !== 'object' || env === null || !('incoming' in env)) return undefined
  return env.incoming instanceof IncomingMessage ? env.incoming : undefined
}

function targetOf(url: string): string {
  const { pathname, search } = new URL(url)
  return pathname + search
}

function hasBody(c: Context): boolean {
  const headers = incomingOf(c)?.headers
  if (!headers) return c.req.raw.body !== null
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}
