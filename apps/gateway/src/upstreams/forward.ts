import type { IncomingMessage } from 'node:http'
import type { Log } from '@repo/observability'
import {
  createProxy,
  createUpstream,
  getHeader,
  setHeader,
  type Upstream,
  type UpstreamEvent,
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

const MAX_BODY_BYTES = 1_048_576

/** The caller of a forwarded request. It has an identity if the gateway has checked its session. */
export interface Caller {
  identity?: Identity
  /** The address of the client. */
  ip: string
  /** Headers of the response. */
  headers: readonly (readonly [name: string, value: string])[]
}

/** The instances of one app. Health checks remove an instance that drains. */
export function connectUpstream(name: string, targets: readonly string[], log: Log): Upstream {
  return createUpstream({
    name,
    targets,
    healthCheck: { path: '/readyz', intervalMs: 500, timeoutMs: 2_000 },
    onEvent({ event, upstream, origin, detail }: UpstreamEvent) {
      log.info({ event: `upstream.${event}`, upstream, origin, detail }, `${origin} is ${event}`)
    },
  })
}

/**
 * Returns a function that forwards a request to an instance of the upstream, with the identity of
 * the caller in headers that only the gateway writes. It drops incoming headers of these names.
 */
export function createForwarder({
  upstream,
  identities,
  cookies,
  instance,
  log,
}: {
  upstream: Upstream
  identities: Identities
  /** Whether the upstream receives cookies: without them it cannot act as the user elsewhere. */
  cookies: boolean
  instance: string
  log: Log
}) {
  return createProxy<Caller>({
    upstream,
    forwarded: 'append',
    maxBodyBytes: MAX_BODY_BYTES,
    dropRequestHeaders: cookies ? identityHeaders : [...identityHeaders, 'cookie'],
    requestHeaders(headers, req, { identity, ip }, body?: Buffer) {
      headers.push(CLIENT_IP_HEADER, ip)
      if (!identity) return
      const request = {
        method: req.method ?? 'GET',
        target: req.url ?? '/',
        requestId: req.headers['x-request-id']?.toString() ?? '',
        clientIp: ip,
      }
      identities.sign(headers, identity, request, body ? claimOf(body) : claimWithout(req))
    },
    responseHeaders(headers, _req, caller) {
      headers.push(...caller.headers.flat())
      const instances = getHeader(headers, 'x-instance-id')
      setHeader(headers, 'X-Instance-Id', instances ? `${instance}, ${instances}` : instance)
    },
    onProblem(req, res, { status, code, detail, retryAfterS = 1, cause }) {
      log.warn({ event: 'upstream.problem', upstream: upstream.name, code, err: cause }, detail)
      sendProblem(res, {
        status,
        code: code.replaceAll('_', '-'),
        detail,
        ...(status === 503 && { retryAfter: retryAfterS }),
      })
    },
  })
}

/** Returns the claim for a body that was not buffered. */
function claimWithout({ headers }: IncomingMessage): string {
  const isChunked = headers['transfer-encoding'] !== undefined
  return isChunked || Number(headers['content-length'] ?? 0) > 0 ? STREAMED_BODY : NO_BODY
}
