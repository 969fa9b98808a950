import type { ServerResponse } from 'node:http'
import { noteActor, noteCountry, type Span } from '@repo/observability'
import type { Guarded } from '@repo/ratelimit'
import {
  dataHeaders,
  isRefusedToActors,
  type Listener,
  type ProblemOptions,
  refusedToActors,
  sendProblem,
} from '@repo/service'
import { unavailable } from '@repo/service/hono'
import type { Sessions, Validation } from '@repo/session'
import type { SecurityHeaders } from '../browsers/security-headers.ts'
import { isSignedIn, notSignedIn, storeCheck, storeKey } from '../caller.ts'
import { crossOrigin, type IsCrossSite } from '../forgery.ts'
import type { WhoIs } from '../geo/who-is.ts'
import { keyNotAccepted, refuseKey, refuseScope } from '../keys/key-problems.ts'
import { sentKey } from '../keys/key-text.ts'
import type { KeyCheck, Keys } from '../keys/keys.ts'
import { identityOf } from '../keys/records.ts'
import { dimensionsOf } from '../limits/dimensions.ts'
import type { RequestLimit } from '../limits/limit-table.ts'
import type { PublishedLimits } from '../limits/published-limits.ts'
import type { Route, StageName } from '../routing/route.ts'
import type { FeatureSettings } from '../settings/feature-settings.ts'
import type { IpOf } from '../upstreams/client-ip.ts'
import type { Forward } from '../upstreams/forward.ts'
import type { GatewayRequest } from './gateway-request.ts'
import type { Stage, StageResult } from './run-stages.ts'

export interface StageOptions {
  /** Serves the routes of the gateway itself. */
  app: Listener
  /** The headers of the gateway's own responses. */
  securityHeaders: Pick<SecurityHeaders, 'own'>
  /** The function that forwards the requests of a route with an upstream. Called once per route. */
  forwarderOf: (route: Route) => Forward
  sessions: Pick<Sessions, 'validateNow'>
  keys: Pick<Keys, 'check'>
  settings: Pick<FeatureSettings, 'valuesNow'>
  limits: Pick<PublishedLimits, 'table'>
  /** Reads the key of a request: `createIdempotencyStage`. */
  idempotency: Stage
  /** Whether a page of another site may have sent a request. */
  isCrossSite: IsCrossSite
  ipOf: IpOf
  /** Finds countries; undefined without a database. */
  whoIs?: Pick<WhoIs, 'countryOf'> | undefined
  /** Returns the name of a user in the log. */
  hashUser: (userId: string) => string
}

const closed: ProblemOptions = {
  status: 503,
  code: 'payments-closed',
  detail: 'New payments are closed at the moment.',
  retryAfter: 60,
}

/** The stages of a route as functions. */
export function createStages(options: StageOptions): (route: Route) => Stage[] {
  const { app, securityHeaders, forwarderOf, sessions, keys, settings, limits } = options
  const { isCrossSite, ipOf, whoIs, hashUser, idempotency } = options

  // Before limits: another site must not use the quota of a user or an address.
  function checkSource(request: GatewayRequest): StageResult {
    const { req, path, handshake } = request
    // The cookie of a request with an API key has no effect, and no page of another site has a key.
    const isForeign = isCrossSite(req, path, handshake !== undefined)
    const isForged = isForeign && sentKey(req.headers) === undefined
    return isForged ? refuse(request, crossOrigin) : 'next'
  }

  function enrich(request: GatewayRequest): StageResult | Promise<StageResult> {
    request.ip = ipOf(request.req)
    const country = whoIs?.countryOf(request.ip)
    if (!(country instanceof Promise)) return addCountry(request, country)
    return country.then((awaited) => addCountry(request, awaited))
  }

  /**
   * Checks the API key, which decides alone: then the cookies of the request have no effect. Otherwise
   * checks the session once. An open service checks sessions itself, and the gateway checks them to
   * refuse the writes of impersonators.
   */
  function authenticate(request: GatewayRequest): StageResult | Promise<StageResult> {
    const { req, route } = request
    const keyText = sentKey(req.headers)
    if (keyText !== undefined) return authenticateKey(request, keyText)
    if (route.auth === 'open' && !mayWrite(request)) return 'next'
    const check = sessions.validateNow(req.headers.cookie)
    if (!(check instanceof Promise)) return accept(request, check)
    return check.then((awaited) => accept(request, awaited))
  }

  function accept(request: GatewayRequest, check: Validation): StageResult {
    if (isSignedIn(check)) setUser(request, hashUser(check.user.id))
    return acceptSession(request, check)
  }

  function authenticateKey(request: GatewayRequest, text: string) {
    const { route, ip } = request
    // A path without the method has a response for every caller.
    if (route.scope === undefined && route.allow === undefined) {
      request.refuseKey = (res) => sendProblem(res, keyNotAccepted)
      return 'next'
    }
    const check = keys.check(text, ip)
    if (!(check instanceof Promise)) return useKey(request, check)
    return check.then((awaited) => useKey(request, awaited))
  }

  function useKey(request: GatewayRequest, check: KeyCheck): StageResult {
    if (check.outcome === 'valid') setUser(request, hashUser(check.key.userId))
    return acceptKey(request, check)
  }

  function limit(request: GatewayRequest): StageResult | Promise<StageResult> {
    const found = limits.table.find(request.route, request.method, request.path)
    if (!found) return 'next'
    const guarded = found.guard.now(dimensionsOf(request, found.dimensions))
    if (!(guarded instanceof Promise)) return admit(request, found, guarded)
    return guarded.then((awaited) => admit(request, found, awaited))
  }

  function checkFeature(request: GatewayRequest): StageResult | Promise<StageResult> {
    if (request.method !== 'POST') return 'next'
    const values = settings.valuesNow()
    if (!(values instanceof Promise)) return requireOpen(request, values.payments)
    return values.then(({ payments }) => requireOpen(request, payments))
  }

  function serve(request: GatewayRequest): StageResult | Promise<StageResult> {
    const { req, res, check, key, headers } = request
    storeCheck(req, check)
    if (key) storeKey(req, key)
    setHeaders(res, securityHeaders.own)
    setHeaders(res, headers)
    const served = app(req, res)
    return served instanceof Promise ? served.then(() => 'done' as const) : 'done'
  }

  function forwardOf(route: Route): Stage {
    const forward = forwarderOf(route)
    return (request) => {
      forward(request.req, request.res, request, request.handshake)
      return 'done'
    }
  }

  const stages: Record<Exclude<StageName, 'forward'>, Stage> = {
    'check-source': checkSource,
    enrich,
    authenticate,
    limit,
    'refuse-key': refuseInvalidKey,
    'refuse-method': refuseMethod,
    'require-session': requireSession,
    'check-feature': checkFeature,
    idempotency,
    serve,
  }
  return (route) =>
    route.stages.map((name) => (name === 'forward' ? forwardOf(route) : stages[name]))
}

function refuse({ res }: GatewayRequest, problem: ProblemOptions): StageResult {
  sendProblem(res, problem)
  return 'done'
}

function requireOpen(request: GatewayRequest, payments: 'open' | 'closed'): StageResult {
  return payments === 'closed' ? refuse(request, closed) : 'next'
}

function addCountry(request: GatewayRequest, country: string | undefined): StageResult {
  request.country = country
  if (country !== undefined) noteCountry(country)
  return 'next'
}

function acceptKey(request: GatewayRequest, check: KeyCheck): StageResult {
  request.context?.span?.set('threefold.key.outcome', check.outcome)
  if (check.outcome !== 'valid') {
    request.refuseKey = (res) => refuseKey(res, check)
    return 'next'
  }
  const { key } = check
  const { scope } = request.route
  request.key = key
  if (scope !== undefined && !key.scopes.includes(scope)) {
    request.refuseKey = (res) => refuseScope(res, scope)
  }
  return 'next'
}

/** A route can replace these headers. */
function setHeaders(res: ServerResponse, headers: readonly string[]): void {
  for (let i = 0; i < headers.length; i += 2) res.setHeader(headers[i] ?? '', headers[i + 1] ?? '')
}

/** Whether an administrator who acts for a user is refused. A WebSocket may carry writes. */
function mayWrite({ method, path, handshake }: GatewayRequest): boolean {
  return handshake !== undefined || isRefusedToActors(method, path)
}

function acceptSession(request: GatewayRequest, check: Validation): StageResult {
  const { route } = request
  request.check = check
  const span = request.context?.span
  span?.set('threefold.session.outcome', check.outcome)
  if (check.outcome === 'valid') span?.set('threefold.session.tier', check.tier)
  if (isSignedIn(check) && check.actor) {
    noteActor(check.actor, check.user.id)
    if (mayWrite(request)) return refuse(request, refusedToActors)
  }
  // The write may be one of an impersonator.
  const isUnknown = route.auth === 'open' && check.outcome === 'unavailable'
  return isUnknown ? refuse(request, unavailable) : 'next'
}

function admit(
  { res, headers, context }: GatewayRequest,
  { holdsSlots }: RequestLimit,
  { decision, headers: added, refusal }: Guarded,
): StageResult {
  const span = context?.span
  if (span) noteDecision(span, decision)
  if (holdsSlots) {
    if (res.destroyed) void decision.release()
    else res.once('close', () => void decision.release())
  }
  if (res.destroyed) return 'done'
  if (refusal) {
    const length = ['Content-Length', String(Buffer.byteLength(refusal.body))]
    res.writeHead(refusal.status, [...refusal.headers, ...dataHeaders, length].flat())
    res.end(refusal.body)
    return 'done'
  }
  for (const [name, value] of added) headers.push(name, value)
  return 'next'
}

function noteDecision(span: Span, { outcome, source, violated }: Guarded['decision']): void {
  span.set('threefold.limit.outcome', outcome).set('threefold.limit.source', source)
  const [refusedBy] = violated
  if (refusedBy !== undefined) span.set('threefold.limit.policy', refusedBy)
}

/** The context of the request is at hand here: the setters of observability would find it again. */
function setUser({ context }: GatewayRequest, hash: string): void {
  if (context) context.user = hash
}

// After limits: a flood of keys that are refused uses the quota of its sender.
function refuseInvalidKey({ refuseKey: send, res }: GatewayRequest): StageResult {
  if (!send) return 'next'
  send(res)
  return 'done'
}

// After limits: a flood of wrong methods uses the quota of its sender.
function refuseMethod(request: GatewayRequest): StageResult {
  const { route, method, res } = request
  res.setHeader('Allow', route.allow ?? '')
  return refuse(request, {
    status: 405,
    code: 'method-not-allowed',
    detail: `The path does not have the method ${method.slice(0, 20)}. It has ${route.allow}.`,
  })
}

function requireSession(request: GatewayRequest): StageResult {
  const { check, key, headers } = request
  if (key) {
    request.identity = identityOf(key)
    return 'next'
  }
  if (!isSignedIn(check)) return refuse(request, notSignedIn(check))
  const { user, session, actor, setCookie } = check
  const { id: userId, email, role } = user
  request.identity = { userId, email, role, sessionId: session.id, ...(actor && { actor }) }
  if (setCookie !== undefined) headers.push('Set-Cookie', setCookie)
  return 'next'
}
