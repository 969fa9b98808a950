import type { IncomingMessage } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { traceAttempts, writeBeforeExit } from '@repo/observability'
import {
  createBacklogShedder,
  createProxy,
  createUpstream,
  createWebSocketProxy,
  isWebSocketUpgrade,
  loadShedderFigures,
  pathRules,
  respondToUpgrade,
  upstreamFigures,
} from '@repo/proxy'
import {
  createHttpServer,
  createProblemSender,
  InstanceResponse,
  sendProblem,
} from '@repo/service/http-server'
import { services } from '@repo/services'
import { createEdgeLog, type EdgeRequest } from './edge-log.ts'
import { createEdgeMetrics } from './edge-metrics.ts'
import { createEdgeRoutes, type EdgeRoute } from './edge-route.ts'
import { createEdgeTraces } from './edge-traces.ts'

/**
 * The load balancer of the local cluster: spreads requests over the gateway instances (`/api`,
 * `/.well-known`) and over the web instances (all else), without stickiness. In compose files and
 * in production, HAProxy or another load balancer replaces it.
 */
const {
  // Both addresses of `localhost`: some machines resolve only one of them.
  EDGE_HOST = '127.0.0.1,::1',
  PORT = '8080',
  EDGE_PORT = PORT,
  GATEWAY_URLS = '',
  WEB_URLS = '',
  /** The port of `/metrics`, on the loopback address only. Without it, there is none. */
  EDGE_METRICS_PORT,
  /** Whether each request has a log line. The instance that serves it writes one anyway. */
  EDGE_LOG_REQUESTS,
  LOG_LEVEL = 'info',
  APP_VERSION = 'dev',
} = process.env
const INSTANCE = 'edge-1'
/** A browser opens six connections in advance; many users can share an address. */
const MAX_HEADS_PER_ADDRESS = 64
/** As `client_max_body_size` of nginx.conf: above the limit of every route. */
const MAX_BODY_BYTES = 2 * 1024 * 1024

const healthCheck = { path: '/readyz', intervalMs: 250, timeoutMs: 2_000 }
const edgeLog = createEdgeLog({
  instance: INSTANCE,
  version: APP_VERSION,
  level: LOG_LEVEL,
  logsRequests: EDGE_LOG_REQUESTS === 'true',
})
const { log, hooks, onEvent } = edgeLog
const upstream = { healthCheck, onEvent }
const gateway = createUpstream({ name: 'gateway', targets: GATEWAY_URLS.split(','), ...upstream })
const web = createUpstream({ name: 'web', targets: WEB_URLS.split(','), ...upstream })

const backlog = createBacklogShedder({ unanswered: () => gateway.unanswered() })
const traces = await createEdgeTraces(INSTANCE)
const metrics = createEdgeMetrics(INSTANCE)
metrics.observe(edgeLog.figures)
metrics.observe([...traces.figures, ...upstreamFigures(gateway), ...upstreamFigures(web)])
metrics.observe(loadShedderFigures(backlog))

const refuseOverload = createProblemSender({
  status: 503,
  code: 'overloaded',
  detail: 'The gateways have more requests than they can serve at the moment.',
  retryAfter: 1,
})

const routeOf = createEdgeRoutes(services)
const options = { forwarded: 'set', maxBodyBytes: MAX_BODY_BYTES, ...hooks } as const
const gatewayOptions = { upstream: gateway, trace: traceAttempts('gateway'), ...options }
const toGateway = createProxy<EdgeRequest>(gatewayOptions)
const webSockets = createWebSocketProxy<EdgeRequest>(gatewayOptions)
const toWeb = createProxy<EdgeRequest>({ upstream: web, trace: traceAttempts('web'), ...options })

function serve(route: EdgeRoute, req: IncomingMessage, res: InstanceResponse): unknown {
  const context = edgeLog.begin(req, res, route.match)
  if (route.to === 'gateway') return toGateway(req, res, context)
  if (route.to === 'web') return toWeb(req, res, context)
  if (route.to !== 'refused') return res.writeHead(404).end()
  return sendProblem(res, { status: 400, code: 'misspelt-path', detail: pathRules[route.rule] })
}

const servers = EDGE_HOST.split(',').map((host) => {
  const server = createHttpServer({
    response: InstanceResponse,
    keepAliveTimeoutMs: 65_000,
    maxHeadsPerAddress: MAX_HEADS_PER_ADDRESS,
    onUnreadable: (status) => metrics.countUnreadable(status),
    upgrade: {
      accepts: (req) =>
        req.method === 'GET' && isWebSocketUpgrade(req) && routeOf(req.url ?? '').to === 'gateway',
      serve(req, socket, head) {
        const { match } = routeOf(req.url ?? '')
        const res = new InstanceResponse(req)
        respondToUpgrade(req, socket, res)
        metrics.count(req, res, match)
        if (backlog.isOverloaded()) return refuseOverload(res)
        traces.serve(req, res, match, () => {
          webSockets.handleUpgrade(req, socket, head, edgeLog.begin(req, res, match), res)
        })
      },
    },
    serve(req, res, refusal) {
      const route = routeOf(req.url ?? '')
      metrics.count(req, res, refusal ? undefined : route.match)
      if (refusal) return sendProblem(res, refusal)
      // The launcher requests it until the edge is ready.
      if (route.to === 'edge') return void res.end('ready')
      // Before other work, so that a refusal costs little.
      if (route.to === 'gateway' && backlog.isOverloaded()) return refuseOverload(res)
      traces.serve(req, res, route.match, () => serve(route, req, res))
    },
  })
  server.on('error', (error) => {
    // A machine without IPv6 has no `::1`.
    const code = 'code' in error ? error.code : undefined
    if (host.includes(':') && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT')) return
    fail('EDGE_HOST, EDGE_PORT', error)
  })
  return server.listen(Number(EDGE_PORT), host)
})

if (EDGE_METRICS_PORT) {
  await metrics.serve(Number(EDGE_METRICS_PORT)).catch((error: Error) => {
    fail('EDGE_METRICS_PORT', error)
  })
}
metrics.ready()
log.info({ event: 'ready', port: Number(EDGE_PORT) }, 'ready')

/** The launcher prints what the edge wrote to stderr. */
function fail(settings: string, error: Error): never {
  log.fatal({ event: 'boot.failed', err: error }, settings)
  writeBeforeExit(2, `${settings}: ${error.message}\n`)
  process.exit(1)
}

process.on('SIGTERM', () => {
  metrics.drain()
  log.info({ event: 'drain', signal: 'SIGTERM' }, 'draining')
  void webSockets.drain()
  const closed = servers.map(
    (server) => new Promise<void>((resolve) => void server.close(() => resolve())),
  )
  // A server closes before its last connection emits `close`, which ends the request: in the next turn.
  const ended = Promise.all(closed)
    .then(() => nextTurn())
    .then(() => nextTurn())
  void ended.then(() => traces.close()).then(() => process.exit(0))
  const sweep = setInterval(() => servers.forEach((server) => server.closeIdleConnections()), 50)
  sweep.unref()
})
