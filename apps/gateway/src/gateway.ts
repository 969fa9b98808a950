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
import { rememberCheck } from './caller.ts'
import { crossOrigin, type IsForgeable } from './forgery.ts'
import { dimensionsOf } from './limits/dimensions.ts'
import type { LimitsInForce } from './limits/published-limits.ts'
import { under } from './path.ts'
import type { FeatureSettings } from './settings/feature-settings.ts'
import { isSignedIn, notSignedIn } from './signed-in.ts'
import { isUnavailable } from './unavailable.ts'
import type { IpOf } from './upstreams/client-ip.ts'
import type { Caller } from './upstreams/forward.ts'

/** A service behind the gateway. */
interface ServiceRoute {
  paths: readonly string[]
  /** `open`: the service authenticates callers itself. `signed-in`: all others are refused here. */
  access: 'open' | 'signed-in'
  forward: ProxyHandler<Caller>
}

export interface GatewayOptions {
  /** The gateway's own routes. */
  own: Listener
  /** The first one with a prefix of the path receives a request. */
  routes: readonly ServiceRoute[]
  sessions: Pick<Sessions, 'validate'>
  settings: Pick<FeatureSettings, 'values'>
  limits: Pick<LimitsInForce, 'limit'>
  /** Whether a page of another site may have made a request. */
  isForgeable: IsForgeable
  ipOf: IpOf
  log: Log
}

const UNASKED: Validation = { outcome: 'none' }

const misspelt: ProblemOptions = {
  status: 400,
  code: 'misspelt-path',
  detail: 'The path must be written without dot segments, backslashes or unescaped characters.',
}

const broken: ProblemOptions = {
  status: 500,
  code: 'internal',
  detail: 'Something went wrong here.',
}

const closed: ProblemOptions = {
  status: 503,
  code: 'payments-closed',
  detail: 'New payments are closed at the moment.',
  retryAfter: 60,
}

/**
 * The way of every request to `/api` and `/.well-known`: who calls, within which limits, and on to
 * whom. Forwarded requests go by the streaming proxy and never through a framework; the gateway's own
 * routes are a Hono app. A path that an upstream would read as another one is refused: it is routed,
 * limited and signed for what it says.
 */
export function createGateway(options: GatewayOptions): Listener {
  const { own, routes, sessions, settings, limits, isForgeable, ipOf, log } = options

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<unknown> {
    const path = pathOf(req)
    if (!isCanonical(path)) return sendProblem(res, misspelt)
    // Before limits: another site must not use up the quota of a user or of an address.
    if (isForgeable(req, path)) return sendProblem(res, crossOrigin)
    const route = routes.find(({ paths }) => paths.some((prefix) => under(prefix, path)))
    const isOpen = route?.access === 'open'
    // An open service reads sessions itself. Here they are read for what an impersonator must not write.
    const isRefused = isRefusedToActors(req.method ?? 'GET', path)
    const isAsked = !isOpen || isRefused
    const check = isAsked ? await sessions.validate(req.headers.cookie) : UNASKED
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
      rememberCheck(req, check)
      for (const [name, value] of headers) res.setHeader(name, value)
      return own(req, res)
    }
    if (!isSignedIn(check)) return sendProblem(res, notSignedIn(check))
    const isPayment = req.method === 'POST' && under('/api/payments', path)
    if (isPayment && (await settings.values()).payments === 'closed') {
      return sendProblem(res, closed)
    }
    const { id: userId, email, role } = check.user
    const cookies = check.setCookie ? [['Set-Cookie', check.setCookie] as const] : []
    route.forward(req, res, {
      identity: {
        ...{ userId, email, role, sessionId: check.session.id },
        ...(check.actor && { actor: check.actor }),
      },
      headers: [...headers, ...cookies],
      ip,
    })
    return undefined
  }

  return function gateway(req, res) {
    // Awaited by the server, which cuts the connection if the problem cannot be sent either.
    return serve(req, res).catch((error: unknown) => {
      log.error({ event: 'error', err: error }, 'an error on the way through')
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
