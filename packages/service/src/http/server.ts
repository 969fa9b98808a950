import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Server as TlsServer } from 'node:https'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { type Member, Members } from '@repo/concurrency'
import {
  endRequestSpan,
  inRequest,
  type Log,
  logRequest,
  type Metrics,
  passOn,
  readRequestContext,
  type RequestContext,
  type SampleTrace,
  type Traces,
} from '@repo/observability'
import {
  type Certificate,
  type CertificateFiles,
  followCertificate,
  readCertificate,
} from './certificate.ts'
import { createHttpServer, responseEnd } from './http-server.ts'
import { InstanceResponse } from './instance-response.ts'
import { pathOf } from './ops.ts'
import { type ProblemOptions, sendProblem } from './problem.ts'

export type Listener = (req: IncomingMessage, res: ServerResponse) => unknown

/** Serves connections that change to another protocol, such as WebSockets. */
export interface UpgradeHandler {
  /** Whether a request is an upgrade for `serve`. The listener serves every other one as a plain request. */
  accepts(req: IncomingMessage): boolean
  /**
   * Serves an upgrade, which is in flight until its socket is closed. `res` has no socket yet: to refuse,
   * assign `socket` to it (`respondToUpgrade` of `@repo/proxy`). To accept, write the head of the response
   * to `socket`, and set `res.statusCode` to 101 for the log line.
   */
  serve(req: IncomingMessage, res: ServerResponse, socket: Duplex, head: Buffer): unknown
  /**
   * Called once when the instance drains. It must end all connections, also those that `serve` gets
   * later. The drain waits for them as for requests.
   */
  end(): unknown
}

export interface InstanceServer {
  server: Server
  /** Returns the number of requests in flight. */
  inFlight(): number
  /** Adds `Connection: close` to every response from this moment. */
  leave(): void
  /** Ends the response of a request whose code threw an error that no code caught. */
  failRequest(context: RequestContext): void
  /** Ends the connections of the upgrade handler. */
  endUpgrades(): void
  /** Cuts the connections without a request in flight. */
  closeSilent(): void
}

/** A request in flight. */
interface Served extends Member {
  res: ServerResponse
  context: RequestContext
}

const WAIT_FOR_START_MS = 2_000

const broken: ProblemOptions = {
  status: 500,
  code: 'internal',
  detail: 'Something went wrong here.',
}

const starting: ProblemOptions = {
  status: 503,
  code: 'starting',
  detail: 'This instance is starting.',
  retryAfter: 1,
}

/**
 * Creates the node:http server of an instance. Each request gets an id, a trace and a log line. The
 * server responds to the operational endpoints. While the instance drains, each response has
 * `Connection: close`.
 */
export function createInstanceServer({
  instance,
  log,
  metrics,
  ops,
  listener,
  upgrade = () => undefined,
  sampleTrace,
  traceKey,
  traces,
  certificateFiles,
}: {
  instance: string
  log: Log
  metrics: Metrics
  ops: (req: IncomingMessage, res: ServerResponse) => boolean
  /** Returns the listener of the app, and undefined before it has started. */
  listener: () => Listener | undefined
  /** Returns the upgrade handler of the app, if it has one and has started. */
  upgrade?: () => UpgradeHandler | undefined
  /** Decides for each trace. Without it, the decision of the gateway in front is preserved. */
  sampleTrace?: SampleTrace | undefined
  /** The `x-trace-key` of senders whose decision is preserved too. */
  traceKey?: string | undefined
  /** Records the spans of requests; none are recorded without it. */
  traces?: Traces | undefined
  /** Serves https with the certificate in these files, also after they change; http by default. */
  certificateFiles?: CertificateFiles | undefined
}): InstanceServer {
  const connections = new Set<Socket>()
  /** The requests in flight. */
  const serving = new Members<Served>()
  let leaving = false

  metrics.observe([
    {
      name: 'threefold_http_requests_in_flight',
      help: 'Requests being served',
      kind: 'gauge',
      read: () => serving.size,
    },
  ])

  function serve(req: IncomingMessage, res: InstanceResponse, refusal?: ProblemOptions) {
    // Node sends no `Connection: close` during a drain, so keep-alive connections would outlive it.
    if (leaving) res.shouldKeepAlive = false
    const context = readRequestContext(req, sampleTrace, traceKey)
    res.instanceId = instance
    res.requestId = context.id
    inRequest(context, () => {
      if (!refusal && ops(req, res)) return
      passOn(context, req)
      observe(context, req, res)
      if (refusal) sendProblem(res, refusal)
      else run(req, res)
    })
  }

  function serveUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer) {
    const context = readRequestContext(req, sampleTrace, traceKey)
    const res = new InstanceResponse(req)
    res.instanceId = instance
    res.requestId = context.id
    // With an incomplete body, `socket` is a stream in front of the connection.
    for (const each of new Set([socket, req.socket])) each.on('error', () => req.socket.destroy())
    inRequest(context, () => {
      passOn(context, req)
      observe(context, req, res, req.socket)
      Promise.try(async () => upgrade()?.serve(req, res, socket, head)).catch((error: unknown) => {
        log.error({ event: 'error', err: error }, 'an error that the app did not handle')
        req.socket.destroy()
      })
    })
  }

  /** A failure of one request must not end the others. */
  function run(req: IncomingMessage, res: ServerResponse): void {
    const app = listener()
    const served = app ? Promise.try(app, req, res) : serveEarly(req, res)
    served.catch((error: unknown) => {
      log.error({ event: 'error', err: error }, 'an error that the app did not handle')
      fail(res)
    })
  }

  async function serveEarly(req: IncomingMessage, res: ServerResponse): Promise<unknown> {
    const app = await whenStarted()
    return app ? app(req, res) : sendProblem(res, starting)
  }

  /** Responds with 500, or cuts the connection when the response has begun. */
  function fail(res: ServerResponse) {
    try {
      // The response of an upgrade has no socket, so it cannot be sent.
      if (!res.headersSent && res.socket === null) res.req.socket.destroy()
      else if (res.headersSent) res.destroy()
      else sendProblem(res, broken)
    } catch (error) {
      log.error({ event: 'error', err: error }, 'a response could not be sent')
      res.destroy()
    }
  }

  // After a crash, a balancer sends requests before it has detected it: early requests wait.
  async function whenStarted(): Promise<Listener | undefined> {
    const giveUpAt = performance.now() + WAIT_FOR_START_MS
    const isComing = () => !listener() && !leaving && performance.now() < giveUpAt
    while (isComing()) await wait(20)
    return listener()
  }

  /** @param closing emits `close` at the end of the request */
  function observe(
    context: RequestContext,
    req: IncomingMessage,
    res: InstanceResponse,
    closing: ServerResponse | Socket = res,
  ) {
    const began = performance.now()
    traces?.begin(context)
    const bytesBefore = closing instanceof Socket ? closing.bytesWritten : 0
    const served: Served = { res, context, memberIndex: -1 }
    serving.add(served)
    closing.once('close', () => {
      serving.delete(served)
      const seconds = (performance.now() - began) / 1_000
      const method = req.method ?? 'GET'
      const { status, isCut } = responseEnd(res)
      // How long a connection stays open says nothing about the speed of the instance.
      if (status === 101) metrics.requests.recordStatus(status)
      else metrics.requests.record(method, status, seconds, context)
      if (context.span) endRequestSpan(context, { method, status, isCut })
      logRequest(log, {
        context,
        method,
        path: pathOf(req),
        status,
        ms: seconds * 1_000,
        bytes: closing instanceof Socket ? closing.bytesWritten - bytesBefore : res.bodyBytes,
        isCut,
      })
    })
  }

  const server = createHttpServer({
    serve,
    response: InstanceResponse,
    // Longer than the idle time of the balancer, so that the balancer closes the connection.
    keepAliveTimeoutMs: 75_000,
    upgrade: { accepts: (req) => upgrade()?.accepts(req) ?? false, serve: serveUpgrade },
    certificate: certificateFiles && readCertificate(certificateFiles),
    onUnreadable: (status) => metrics.requests.recordStatus(status),
  })
  if (certificateFiles && server instanceof TlsServer) {
    const use = (certificate: Certificate) => server.setSecureContext(certificate)
    const stop = followCertificate(certificateFiles, use, log)
    server.once('close', stop)
  }
  // A connection cannot be accepted, for example because no file descriptor is free.
  server.on('error', (error) => {
    if (server.listening) log.error({ event: 'server.error', err: error }, 'a connection was lost')
  })
  // A request with TLS has the socket of the encrypted connection.
  server.on(certificateFiles ? 'secureConnection' : 'connection', (socket: Socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })

  return {
    server,
    inFlight: () => serving.size,
    leave() {
      leaving = true
      for (const { res } of serving.values()) res.shouldKeepAlive = false
    },
    failRequest(context) {
      for (const served of serving.values()) if (served.context === context) fail(served.res)
    },
    endUpgrades() {
      upgrade()?.end()
    },
    closeSilent() {
      const busy = new Set(serving.values().map(({ res }) => res.req.socket))
      for (const socket of connections) if (!busy.has(socket)) socket.destroy()
    },
  }
}
