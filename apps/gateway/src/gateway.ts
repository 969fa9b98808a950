import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Log, noteActor } from '@repo/observability'
import type { ProxyHandler } from '@repo/proxy'
import type { Guarded } from '@repo/ratelimit'
import {
  isRefusedToActors,
  type Listener,
  pathOf,
  type ProblemOptions,
  refusedToActors,
  sendProblem,
} from '@repo/service'
import { unavailable } from '@repo/service/hono'
import type { Sessions, Validation } from '@repo/session'
import { isSignedIn, notSignedIn, storeCheck } from './caller.ts'
import { crossOrigin, type IsCrossSite } from './forgery.ts'
import { dimensionsOf } from './limits/dimensions.ts'
import type { PublishedLimits } from './limits/published-limits.ts'
import { isUnder } from './path.ts'
import type { FeatureSettings } from './settings/feature-settings.ts'
import { isUnavailable } from './unavailable.ts'
import type { IpOf } from './upstreams/client-ip.ts'
import type { Caller } from './upstreams/forward.ts'

/** A service behind the gateway. */
interface ServiceRoute {
  paths: readonly string[]
  /** `open`: the service authenticates callers. `signed-in`: the gateway refuses all others. */
  access: 'open' | 'signed-in'
  forward: ProxyHandler<Caller>
}

export interface GatewayOptions {
  /** Serves the routes of the gateway itself. */
  app: Listener
  /** A request goes to the first service with a prefix of its path. */
  routes: readonly ServiceRoute[]
  sessions: Pick<Sessions, 'validate'>
  settings: Pick<FeatureSettings, 'values'>
  limits: Pick<PublishedLimits, 'limit'>
  /** Whether a page of another site may have sent a request. */
  isCrossSite: IsCrossSite
  ipOf: IpOf
  log: Log
}

const UNCHECKED: Validation = { outcome: 'none' }

const misspelt: ProblemOptions = {
  status: 400,
  code: 'misspelt-path',
  detail: 'The path must have no dot segments, backslashes or unescaped characters.',
}

const broken: ProblemOptions = {
  status: 500,
  code: 'internal',
  detail: 'An unexpected error occurred.',
}

const closed: ProblemOptions = {
  status: 503,
  code: 'payments-closed',
  detail: 'New payments are closed at the moment.',
  retryAfter: 60,
}

/**
 * The path of every request to `/api` and `/.well-known`: check the session, apply limits, forward.
 * Forwarded requests use the streaming proxy without a framework; the gateway's own routes are a
 * Hono app. A path that an upstream would read as another one is refused, because routing, limits
 * and the signature of the identity depend on it.
 */
export function createGateway(options: GatewayOptions): Listener {
  const { app, routes, sessions, settings, limits, isCrossSite, ipOf, log } = options

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<unknown> {
    const path = pathOf(req)
    if (!isCanonical(path)) return sendProblem(res, misspelt)
    // Before limits: another site must not use the quota of a user or an address.
    if (isCrossSite(req, path)) return sendProblem(res, crossOrigin)
    const route = routes.find(({ paths }) => paths.some((prefix) => isUnder(prefix, path)))
    const isOpen = route?.access === 'open'
    // An open service checks sessions itself. The gateway checks them to refuse writes of
    // impersonators.
    const isRefused = isRefusedToActors(req.method ?? 'GET', path)
    const isChecked = !isOpen || isRefused
    const check = isChecked ? await sessions.validate(req.headers.cookie) : UNCHECKED
    if (isSignedIn(check)) noteActor(check.actor, check.user.id)
    if (isRefused && isSignedIn(check) && check.actor) return sendProblem(res, refusedToActors)
    if (isOpen && check.outcome === 'unavailable') return sendProblem(res, unavailable)
    const user = isSignedIn(check) && !isOpen ? check.user.id : undefined
    const ip = ipOf(req)
    const dimensions = dimensionsOf(req, { path, user, ip })
    const guarded = await limits.limit(req.method ?? 'GET', path, dimensions)
    if (res.destroyed) return void guarded?.decision.release()
    res.once('close', () => void guarded?.decision.release())
    if (guarded?.refusal) return refuse(res, guarded.refusal)
    const headers = guarded?.headers ?? []

    if (isOpen) return route.forward(req, res, { headers, ip })
    if (!route) {
      storeCheck(req, check)
      for (const [name, value] of headers) res.setHeader(name, value)
      return app(req, res)
    }
    if (!isSignedIn(check)) return sendProblem(res, notSignedIn(check))
    const isPayment = req.method === 'POST' && isUnder('/api/payments', path)
    if (isPayment && (await settings.values()).payments === 'closed') {
      return sendProblem(res, closed)
    }
    const { id: userId, email, role } = check.user
    const cookies = check.setCookie ? [['Set-Cookie', check.setCookie] as const] : []
    route.forward(req, res, {
      identity: {
        userId,
        email,
        role,
        sessionId: check.session.id,
        ...(check.actor && { actor: check.actor }),
      },
      headers: [...headers, ...cookies],
      ip,
    })
    return undefined
  }

  return function gateway(req, res) {
    // The server awaits this promise, and closes the connection if the problem cannot be sent.
    return serve(req, res).catch((error: unknown) => {
      log.error({ event: 'error', err: error }, 'a request failed')
      if (res.headersSent) res.destroy()
      else sendProblem(res, isUnavailable(error) ? unavailable : broken)
    })
  }
}

function refuse(res: ServerResponse, refusal: NonNullable<Guarded['refusal']>): void {
  const length = ['Content-Length', String(Buffer.byteLength(refusal.body))]
  res.writeHead(refusal.status, [...refusal.headers, length].flat())
  res.end(refusal.body)
}

function isCanonical(path: string): boolean {
  return URL.parse(`http://gateway${path}`)?.pathname === path
}
