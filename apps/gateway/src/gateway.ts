import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ProxyHandler } from '@repo/proxy'
import { type Identity, type Listener, type Log, pathOf, sendProblem } from '@repo/service'
import { ProblemError, unavailable } from '@repo/service/hono'
import type { Sessions } from '@repo/session'
import { requireSession } from './app.ts'
import type { Caller } from './forward.ts'

export interface GatewayOptions {
  /** The gateway's own routes. */
  own: Listener
  auth: ProxyHandler<Caller>
  payments: ProxyHandler<Caller>
  sessions: Sessions
  log: Log
}

/**
 * The way of every request to `/api` and `/.well-known`: forwarded requests go by the streaming
 * proxy and never through a framework; the gateway's own routes are a Hono app.
 */
export function createGateway({ own, auth, payments, sessions, log }: GatewayOptions): Listener {
  async function forwardAsCaller(req: IncomingMessage, res: ServerResponse) {
    try {
      const { user, session } = await requireSession(sessions, req.headers.cookie)
      const { id: userId, email, role } = user
      const identity: Identity = { userId, email, role, sessionId: session.id }
      if (!res.destroyed) payments(req, res, { identity })
    } catch (error) {
      if (!(error instanceof ProblemError))
        log.error({ event: 'error', err: error }, 'not forwarded')
      sendProblem(res, error instanceof ProblemError ? error.problem : unavailable)
    }
  }

  return function gateway(req, res) {
    const path = pathOf(req)
    if (under('/api/auth', path) || under('/.well-known', path)) auth(req, res, {})
    else if (under('/api/payments', path)) void forwardAsCaller(req, res)
    else own(req, res)
  }
}

function under(prefix: string, path: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`)
}
