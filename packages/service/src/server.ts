import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Phase } from './health.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { pathOf } from './ops.ts'
import { sendProblem } from './problem.ts'
import { inRequest, readRequestContext } from './request-context.ts'

export type Listener = (req: IncomingMessage, res: ServerResponse) => unknown

export interface InstanceServer {
  server: Server
  /** Requests being served. */
  inFlight(): number
}

/**
 * The node:http server of an instance: gives each request its id, trace and log line, answers the
 * operational endpoints, and tells clients to close their connection while the instance drains.
 */
export function createInstanceServer({
  instance,
  log,
  metrics,
  phase,
  ops,
  listener,
}: {
  instance: string
  log: Log
  metrics: Metrics
  phase: () => Phase
  ops: (req: IncomingMessage, res: ServerResponse) => boolean
  /** The app, once it is there. */
  listener: () => Listener | undefined
}): InstanceServer {
  let inFlight = 0

  function serve(req: IncomingMessage, res: ServerResponse) {
    // Keep-alive connections outlive a drain unless each response says so (node never does).
    if (phase() === 'draining') res.shouldKeepAlive = false
    res.setHeader('X-Instance-Id', instance)
    if (ops(req, res)) return
    const app = listener()
    const context = readRequestContext(req)
    res.setHeader('X-Request-Id', context.id)
    forward(req, 'x-request-id', context.id)
    forward(req, 'traceparent', context.traceparent)
    inRequest(context, () => {
      observe(req, res)
      if (app) app(req, res)
      else
        sendProblem(res, {
          status: 503,
          code: 'starting',
          detail: 'This instance is starting.',
          retryAfter: 1,
        })
    })
  }

  function observe(req: IncomingMessage, res: ServerResponse) {
    const began = performance.now()
    inFlight += 1
    metrics.inFlight.inc()
    res.once('close', () => {
      inFlight -= 1
      metrics.inFlight.dec()
      const seconds = (performance.now() - began) / 1_000
      const method = req.method ?? 'GET'
      // A response that was cut off has no status that the client saw: 499, as nginx logs it.
      const status = res.writableFinished ? res.statusCode : 499
      metrics.duration.observe({ method, status: String(status) }, seconds)
      const fields = {
        event: 'request',
        method,
        path: pathOf(req),
        status,
        ms: Math.round(seconds * 1_000),
      }
      log.info(fields, `${method} ${status}`)
    })
  }

  const server = createServer(
    {
      // Longer than the balancer's idle time, so that the balancer is the one that closes.
      keepAliveTimeout: 75_000,
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: 16_384,
    },
    serve,
  )
  return { server, inFlight: () => inFlight }
}

/** Sets a header on the incoming request, parsed and raw, so that whatever serves or forwards it sees it. */
function forward(req: IncomingMessage, name: string, value: string) {
  req.headers[name] = value
  const raw = req.rawHeaders
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]?.toLowerCase() === name) {
      raw[i + 1] = value
      return
    }
  }
  raw.push(name, value)
}
