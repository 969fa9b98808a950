import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ProxyHandler } from '@repo/proxy'
import { type Listener, pathOf, type ProblemOptions, sendProblem } from '@repo/service'
import { ProblemError } from '@repo/service/hono'
import type { Sessions } from '@repo/session'
import type { FeatureSettings } from './feature-settings.ts'
import type { Caller } from './forward.ts'
import { requireSession } from './require-session.ts'

export interface GatewayOptions {
  /** The gateway's own routes. */
  own: Listener
  auth: ProxyHandler<Caller>
  payments: ProxyHandler<Caller>
  sessions: Pick<Sessions, 'validate'>
  settings: Pick<FeatureSettings, 'values'>
}

const misspelt: ProblemOptions = {
  status: 400,
  code: 'misspelt-path',
  detail: 'The path must be written without dot segments, backslashes or unescaped characters.',
}

const closed: ProblemOptions = {
  status: 503,
  code: 'payments-closed',
  detail: 'No new payments are taken at the moment.',
  retryAfter: 60,
}

/**
 * The way of every request to `/api` and `/.well-known`: forwarded requests go by the streaming
 * proxy and never through a framework; the gateway's own routes are a Hono app. A path that an
 * upstream would read as another one is refused: it is routed and signed for what it says.
 */
export function createGateway({
  own,
  auth,
  payments,
  sessions,
  settings,
}: GatewayOptions): Listener {
  async function forwardAsCaller(req: IncomingMessage, res: ServerResponse) {
    const caller = await callerOf(req)
    if ('status' in caller) sendProblem(res, caller)
    else if (!res.destroyed) payments(req, res, caller)
  }

  async function callerOf(req: IncomingMessage): Promise<Required<Caller> | ProblemOptions> {
    try {
      const { user, session } = await requireSession(sessions, req.headers.cookie)
      if (req.method === 'POST' && (await settings.values()).payments === 'closed') return closed
      const { id: userId, email, role } = user
      return { identity: { userId, email, role, sessionId: session.id } }
    } catch (error) {
      if (error instanceof ProblemError) return error.problem
      throw error
    }
  }

  return function gateway(req, res) {
    const path = pathOf(req)
    if (!isCanonical(path)) return sendProblem(res, misspelt)
    if (under('/api/auth', path) || under('/.well-known', path)) return auth(req, res, {})
    return under('/api/payments', path) ? forwardAsCaller(req, res) : own(req, res)
  }
}

function isCanonical(path: string): boolean {
  return URL.parse(`http://gateway${path}`)?.pathname === path
}

function under(prefix: string, path: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`)
}
