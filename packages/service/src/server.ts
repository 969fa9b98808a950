import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { pathOf } from './ops.ts'
import { type ProblemOptions, sendProblem } from './problem.ts'
import { inRequest, passOn, readRequestContext } from './request-context.ts'

export type Listener = (req: IncomingMessage, res: ServerResponse) => unknown

export interface InstanceServer {
  server: Server
  /** Requests being served. */
  inFlight(): number
  /** From now on every response tells its client to close the connection. */
  leave(): void
  /** Cuts the connections on which no request is being served. */
  closeSilent(): void
}

const WAIT_FOR_START_MS = 2_000

const starting: ProblemOptions = {
  status: 503,
  code: 'starting',
  detail: 'This instance is starting.',
  retryAfter: 1,
}

/**
 * The node:http server of an instance: gives each request its id, trace and log line, answers the
 * operational endpoints, and tells clients to close their connection while the instance drains.
 */
export function createInstanceServer({
  instance,
  log,
  metrics,
  ops,
  listener,
}: {
  instance: string
  log: Log
  metrics: Metrics
  ops: (req: IncomingMessage, res: ServerResponse) => boolean
  /** The app, once it is there. */
  listener: () => Listener | undefined
}): InstanceServer {
  const connections = new Set<Socket>()
  const serving = new Set<ServerResponse>()
  let leaving = false

  function serve(req: IncomingMessage, res: ServerResponse) {
    // Keep-alive connections outlive a drain unless each response says so (node never does).
    if (leaving) res.shouldKeepAlive = false
    const context = readRequestContext(req)
    res.setHeader('X-Instance-Id', instance)
    res.setHeader('X-Request-Id', context.id)
    inRequest(context, () => {
      if (ops(req, res)) return
      passOn(context, req)
      observe(req, res)
      void run(req, res)
    })
  }

  async function run(req: IncomingMessage, res: ServerResponse) {
    const app = listener() ?? (await whenStarted())
    if (!app) return sendProblem(res, starting)
    try {
      await app(req, res)
    } catch (error) {
      // What one request breaks must not end the others.
      log.error({ event: 'error', err: error }, 'an error that the app did not handle')
      if (res.headersSent) res.destroy()
      sendProblem(res, { status: 500, code: 'internal', detail: 'Something went wrong here.' })
    }
  }

  // After a crash a balancer sends here before it has noticed: what comes too early waits for us.
  async function whenStarted(): Promise<Listener | undefined> {
    const giveUpAt = performance.now() + WAIT_FOR_START_MS
    const isComing = () => !listener() && !leaving && performance.now() < giveUpAt
    while (isComing()) await wait(20)
    return listener()
  }

  function observe(req: IncomingMessage, res: ServerResponse) {
    const began = performance.now()
    serving.add(res)
    metrics.inFlight.inc()
    res.once('close', () => {
      serving.delete(res)
      metrics.inFlight.dec()
      const seconds = (performance.now() - began) / 1_000
      const method = req.method ?? 'GET'
      // 499, as nginx: the client was gone before it was told a status.
      const status = res.headersSent ? res.statusCode : 499
      metrics.duration.observe({ method, status: String(status) }, seconds)
      const fields = {
        event: 'request',
        method,
        path: pathOf(req),
        status,
        ms: Math.round(seconds * 1_000),
        // The answer broke off, whichever side ended it.
        ...(!res.writableFinished && { cut: true }),
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
  server.on('connection', (socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })

  return {
    server,
    inFlight: () => serving.size,
    leave() {
      leaving = true
      for (const res of serving) res.shouldKeepAlive = false
    },
    closeSilent() {
      const busy = new Set([...serving].map(({ req }) => req.socket))
      for (const socket of connections) if (!busy.has(socket)) socket.destroy()
    },
  }
}
