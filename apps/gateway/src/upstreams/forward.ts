import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import {
  type Log,
  noteTry,
  noteUpstream,
  type RequestContext,
  traceAttempts,
} from '@repo/observability'
import {
  BodyGuard,
  createProxy,
  createUpstream,
  createWebSocketProxy,
  type GroupOptions,
  type Hold,
  type ProxyOptions,
  type RawHeaders,
  type Targets,
  type Upstream,
  type UpstreamEvent,
  type UpstreamOptions,
} from '@repo/proxy'
import {
  claimOf,
  CLIENT_IP_HEADER,
  type Identities,
  type Identity,
  identityHeaders,
  NO_BODY,
  sendProblem,
  STREAMED_BODY,
} from '@repo/service'
import type { SecurityHeaders } from '../browsers/security-headers.ts'
import type { Route } from '../routing/route.ts'
import { CANARY_HEADER, canaryContextOf } from './canaries.ts'

const INSTANCE_HEADER = 'x-instance-id'
/** The country of the client, as an ISO 3166-1 code. Only the gateway writes it. */
const COUNTRY_HEADER = 'x-client-country'

/** The caller of a forwarded request. It has an identity if the gateway has checked its session. */
export interface Caller {
  identity: Identity | undefined
  /** The address of the client. */
  ip: string
  /** Its country as an ISO 3166-1 code, if it was found. */
  country: string | undefined
  /** Headers of the response: `[name, value, name, value, ...]`. */
  headers: readonly string[]
  /** The context of the request, for its log line. Events of an instance occur outside of it. */
  context?: RequestContext | undefined
  /** Decides about a request with a key. */
  hold?: Hold | undefined
  /** Whether another instance may get the request although it may have run. */
  mayRepeat?: boolean
}

/** The connection of a client that opens a WebSocket, and its bytes after the handshake. */
export interface Handshake {
  socket: Duplex
  head: Buffer
}

/** Forwards a request, or a handshake on a route with WebSockets. */
export type Forward = (
  req: IncomingMessage,
  res: ServerResponse,
  caller: Caller,
  handshake?: Handshake,
) => void

interface Forwarders {
  /** @throws Error for a route of a service without a connection */
  of: (route: Route) => Forward
  /** Closes all WebSockets with code 1012, also those that open later. Resolves when all are closed. */
  endWebSockets: () => Promise<unknown>
}

/** A service with its instances, as the gateway connects to it. */
export interface Connection {
  upstream: Upstream
  identities: Identities
  /** Whether the service receives cookies: without them it cannot act as the user elsewhere. */
  cookies: boolean
  /** Whether the service receives the country of the client, if it was found. */
  country: boolean
  /** With a canary: whether an administrator chooses the group by `X-Canary`. */
  canOverride?: boolean | undefined
}

/** The facts about this instance and its site that each forwarder uses. */
export interface ForwardingSite {
  instance: string
  /** Added to the responses of upstreams. */
  securityHeaders: Pick<SecurityHeaders, 'addTo'>
  log: Log
}

/**
 * The instances of one app. Health checks remove an instance that drains.
 * @param options.ca the authorities of https targets in PEM format
 * @param options.maxInFlight like `breaker` and `hedging`, it is off by default
 */
export function connectUpstream(
  name: string,
  targets: Targets,
  {
    ca,
    groups = [],
    log,
    ...protections
  }: {
    ca?: string | undefined
    groups?: readonly GroupOptions[]
    log: Log
  } & Pick<UpstreamOptions, 'maxInFlight' | 'breaker' | 'hedging'>,
): Upstream {
  return createUpstream({
    name,
    targets,
    groups,
    ...protections,
    ...(ca !== undefined && { ca }),
    healthCheck: { path: '/readyz', intervalMs: 500, timeoutMs: 2_000 },
    onEvent({ event, upstream, origin, detail }: UpstreamEvent) {
      log.info({ event: `upstream.${event}`, upstream, origin, detail }, `${origin} is ${event}`)
    },
  })
}

/**
 * Finds how the requests of a route are forwarded. Routes of one service with the same limits share a
 * forwarder.
 */
export function createForwarders(
  connections: ReadonlyMap<string, Connection>,
  site: ForwardingSite,
): Forwarders {
  const forwarders = new Map<string, Forward>()
  const drains: (() => Promise<void>)[] = []
  // One limit of memory for the bodies of all services.
  const bodyGuard = new BodyGuard()

  function create(options: ProxyOptions<Caller>, websocket: boolean): Forward {
    const proxy = createProxy(options)
    if (!websocket) return proxy
    const webSockets = createWebSocketProxy(options)
    drains.push(() => webSockets.drain())
    return (req, res, caller, handshake) => {
      if (!handshake) return proxy(req, res, caller)
      webSockets.handleUpgrade(req, handshake.socket, handshake.head, caller, res)
    }
  }

  return {
    of({ match, upstream: name = '', bodyLimitBytes, deadlineMs, websocket, idempotency }) {
      const connection = connections.get(name)
      if (!connection) throw new Error(`the route ${match} needs a connection to "${name}"`)
      const hasKeys = idempotency !== 'none'
      const key = `${name} ${bodyLimitBytes} ${deadlineMs} ${websocket} ${hasKeys}`
      const options = { ...connection, bodyLimitBytes, deadlineMs, hasKeys, bodyGuard, ...site }
      const forwarder = forwarders.get(key) ?? create(optionsOf(options), websocket)
      forwarders.set(key, forwarder)
      return forwarder
    },
    endWebSockets: () => Promise.all(drains.map((drain) => drain())),
  }
}

/**
 * Returns the options to forward a request to an instance of the upstream, with the identity of the
 * caller in headers that only the gateway writes. Incoming headers of these names are dropped.
 */
function optionsOf({
  upstream,
  identities,
  cookies,
  country: receivesCountry,
  canOverride,
  bodyLimitBytes,
  deadlineMs,
  hasKeys,
  bodyGuard,
  instance,
  securityHeaders,
  log,
}: Connection &
  ForwardingSite & {
    bodyLimitBytes: number
    deadlineMs: number | undefined
    hasKeys: boolean
    bodyGuard: BodyGuard
  }): ProxyOptions<Caller> {
  return {
    upstream,
    forwarded: 'append',
    trace: traceAttempts(upstream.name),
    maxBodyBytes: bodyLimitBytes,
    ...(canOverride !== undefined && {
      pickContext: (req: IncomingMessage, { identity, ip }: Caller) =>
        canaryContextOf(req.headers[CANARY_HEADER], identity, ip, canOverride),
    }),
    bodyGuard,
    clientOf: (_req, { ip }) => ip,
    ...(deadlineMs !== undefined && { deadlineMs }),
    ...(hasKeys && {
      hold: (_req: IncomingMessage, caller: Caller) => caller.hold,
      mayRepeat: (_req: IncomingMessage, caller: Caller) => caller.mayRepeat === true,
    }),
    dropRequestHeaders: [
      ...identityHeaders,
      COUNTRY_HEADER,
      CANARY_HEADER,
      'x-api-key',
      ...(cookies ? [] : ['cookie']),
    ],
    onTry(_req, { context }, origin, tries) {
      if (context) noteTry(context, origin, tries)
    },
    requestHeaders(headers, req, { identity, ip, country }, body?: Buffer) {
      headers.push(CLIENT_IP_HEADER, ip)
      if (receivesCountry && country !== undefined) headers.push(COUNTRY_HEADER, country)
      if (!identity) return
      // An upstream could use the key at the gateway as the user.
      if (identity.key) removeHeader(headers, 'authorization')
      const request = {
        method: req.method ?? 'GET',
        target: req.url ?? '/',
        requestId: req.headers['x-request-id']?.toString() ?? '',
        clientIp: ip,
      }
      identities.sign(headers, identity, request, body ? claimOf(body) : claimWithout(req))
    },
    responseHeaders(headers, _req, caller) {
      for (const part of caller.headers) headers.push(part)
      nameInstance(headers, instance, caller.context)
      securityHeaders.addTo(headers)
    },
    onProblem(req, res, { status, code, detail, retryAfterS = 1, cause }) {
      log.warn({ event: 'upstream.problem', upstream: upstream.name, code, err: cause }, detail)
      sendProblem(res, {
        status,
        code: code.replaceAll('_', '-'),
        detail,
        ...((status === 503 || status === 429) && { retryAfter: retryAfterS }),
      })
    },
  }
}

function removeHeader(headers: RawHeaders, removed: string): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    if (headers[i]?.toLowerCase() === removed) headers.splice(i, 2)
  }
}

/** Names this instance before the instances that the response came through. */
function nameInstance(headers: RawHeaders, instance: string, context?: RequestContext): void {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (name.length === INSTANCE_HEADER.length && name.toLowerCase() === INSTANCE_HEADER) {
      const served = headers[i + 1] ?? ''
      if (context) noteUpstream(context, served)
      headers[i + 1] = `${instance}, ${served}`
      return
    }
  }
  headers.push('X-Instance-Id', instance)
}

/** Returns the claim for a body that was not buffered. */
function claimWithout({ headers }: IncomingMessage): string {
  const isChunked = headers['transfer-encoding'] !== undefined
  return isChunked || Number(headers['content-length'] ?? 0) > 0 ? STREAMED_BODY : NO_BODY
}
