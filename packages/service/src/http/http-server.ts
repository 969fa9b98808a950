import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import type { Certificate } from './certificate.ts'
import { continueWhenRead } from './expect-continue.ts'
import { limitHeads } from './head-limit.ts'
import { type ProblemOptions, rawProblem } from './problem.ts'

export { InstanceResponse } from './instance-response.ts'
export { createProblemSender, sendProblem } from './problem.ts'

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

const unsupportedMethod: ProblemOptions = {
  status: 405,
  code: 'unsupported-method',
  detail: 'The method of the request is not supported.',
  allow: [...METHODS].join(', '),
}

const unknownExpectation: ProblemOptions = {
  status: 417,
  code: 'unknown-expectation',
  detail: 'The only supported value of the header Expect is 100-continue.',
}

const malformed: ProblemOptions = {
  status: 400,
  code: 'malformed-request',
  detail: 'The request is not valid HTTP/1.1.',
}

const headTooLarge: ProblemOptions = {
  status: 431,
  code: 'head-too-large',
  detail: 'The head of the request must have at most 16384 bytes.',
}

const late: ProblemOptions = {
  status: 408,
  code: 'late-request',
  detail: 'The head of a request must arrive within 10 s, and its body within 30 s.',
}

const HANDSHAKE_TIMEOUT_MS = 10_000

export interface HttpServerOptions<Response extends typeof ServerResponse> {
  /** Serves a request, or sends the problem for which the request is refused. */
  serve: (
    req: IncomingMessage,
    res: InstanceType<Response>,
    refusal: ProblemOptions | undefined,
  ) => void
  response: Response
  keepAliveTimeoutMs: number
  /** Serves https with it; http by default. */
  certificate?: Certificate | undefined
  /** The longest TLS handshake; 10 s by default. Then the connection is closed. */
  handshakeTimeoutMs?: number
  /** Serves the upgrades that it accepts. Every other one is served as a plain request. */
  upgrade?: {
    accepts: (req: IncomingMessage) => boolean
    serve: (req: IncomingMessage, socket: Duplex, head: Buffer) => void
  }
  /** The connections without a complete first head that one address may have; no limit by default. */
  maxHeadsPerAddress?: number
  /**
   * Called with the status of the response to a request that node:http could not read, and that `serve`
   * did not get. `responseEnd` returns the status of one that `serve` got.
   */
  onUnreadable?: (status: number) => void
}

/**
 * Creates a node:http server with the limits of this project.
 *
 * - A head must arrive within 10 s and have at most 16 KiB, and a request must arrive within 30 s.
 * - A method other than GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS is refused with 405, so that
 *   TRACE never reflects a cookie (RFC 9110 9.3.8).
 * - `Expect: 100-continue` is answered with 100 when the body is first read, so a request that is
 *   refused before sends no body. Another expectation is refused with 417.
 * - HTTP/0.9 and a Host with half an IPv6 address are refused with 400.
 * - A request that node:http refuses gets a problem document.
 */
export function createHttpServer<Response extends typeof ServerResponse>({
  serve,
  response,
  keepAliveTimeoutMs,
  certificate,
  handshakeTimeoutMs: handshakeTimeout = HANDSHAKE_TIMEOUT_MS,
  upgrade,
  maxHeadsPerAddress,
  onUnreadable = () => undefined,
}: HttpServerOptions<Response>): Server {
  const listener = (req: IncomingMessage, res: InstanceType<Response>) =>
    serve(req, res, refusalOf(req))
  const options: ServerOptions<typeof IncomingMessage, Response> = {
    keepAliveTimeout: keepAliveTimeoutMs,
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: 16_384,
    ServerResponse: response,
    shouldUpgradeCallback: (req) => (upgrade?.accepts(req) ?? false) && !refusalOf(req),
  }
  const server = certificate
    ? createTlsServer(
        { ...options, ...certificate, minVersion: 'TLSv1.2', handshakeTimeout },
        listener,
      )
    : createServer(options, listener)
  server.on('checkContinue', (req, res: InstanceType<Response>) => {
    continueWhenRead(req, res)
    serve(req, res, refusalOf(req))
  })
  server.on('checkExpectation', (req, res: InstanceType<Response>) => {
    res.shouldKeepAlive = false
    serve(req, res, unknownExpectation)
  })
  server.on('connect', (_req, socket) => {
    onUnreadable(unsupportedMethod.status)
    refuse(socket, unsupportedMethod)
  })
  // A failed handshake carries no response: `end` would wait for it without a limit.
  server.on('tlsClientError', (_error: Error, socket: Duplex) => socket.destroy())
  server.on('clientError', (error, socket) => refuseMalformed(error, socket, onUnreadable))
  if (upgrade) server.on('upgrade', upgrade.serve)
  if (maxHeadsPerAddress !== undefined) limitHeads(server, { maxPerAddress: maxHeadsPerAddress })
  return server
}

function refusalOf(req: IncomingMessage): ProblemOptions | undefined {
  // node:http reads `GET /path` and a line feed as a request of HTTP/0.9.
  if (req.httpVersionMajor !== 1 || isCutAddress(req.headers.host)) return malformed
  return METHODS.has(req.method ?? '') ? undefined : unsupportedMethod
}

/** An IPv6 address without its end: node:http accepts it, and undici cannot forward it. */
function isCutAddress(host = ''): boolean {
  return host.startsWith('[') && !host.includes(']')
}

function refuse(socket: Duplex, problem: ProblemOptions): void {
  socket.on('error', () => socket.destroy())
  socket.end(rawProblem(problem), () => socket.destroy())
}

/** Responses that the application did not send: the body of the request was malformed or late. */
const refusals = new WeakMap<ServerResponse, number>()

/**
 * Returns the status that the client received, and whether the response was cut, after the response or
 * its connection has ended. The status is 499, as in nginx, if the connection ended before it was sent.
 * A response with the status 101 is an upgraded connection, which is never cut.
 */
export function responseEnd(res: ServerResponse): { status: number; isCut: boolean } {
  const refusal = refusals.get(res)
  if (refusal !== undefined) return { status: refusal, isCut: false }
  if (res.statusCode === 101) return { status: 101, isCut: false }
  return { status: res.headersSent ? res.statusCode : 499, isCut: !res.writableFinished }
}

/** A request that the parser of node:http refuses, or that is late. */
function refuseMalformed(
  error: Error,
  socket: Duplex,
  onUnreadable: (status: number) => void,
): void {
  // The response of an earlier request on this connection must not be followed by another text.
  const current: unknown = Reflect.get(socket, '_httpMessage')
  const response = current instanceof ServerResponse ? current : undefined
  if (!socket.writable || response?.headersSent) return void socket.destroy()
  const problem = problemOf(error)
  if (response) refusals.set(response, problem.status)
  else onUnreadable(problem.status)
  refuse(socket, problem)
}

function problemOf(error: Error): ProblemOptions {
  const code = 'code' in error ? error.code : undefined
  if (code === 'HPE_HEADER_OVERFLOW') return headTooLarge
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return late
  return code === 'HPE_INVALID_METHOD' && hasUnknownMethod(error) ? unsupportedMethod : malformed
}

/** Whether the bytes begin with a method that node:http does not know, and a target. */
function hasUnknownMethod(error: Error): boolean {
  if (!('rawPacket' in error) || !Buffer.isBuffer(error.rawPacket)) return false
  return /^[A-Z][A-Z-]{0,31} [/*]/.test(error.rawPacket.toString('latin1', 0, 40))
}
