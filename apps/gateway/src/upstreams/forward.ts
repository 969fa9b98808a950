import type { Log } from '@repo/observability'
import {
  createProxy,
  createUpstream,
  getHeader,
  setHeader,
  type Upstream,
  type UpstreamEvent,
} from '@repo/proxy'
import { type Identities, type Identity, IDENTITY_HEADER, sendProblem } from '@repo/service'

const CLIENT_IP_HEADER = 'x-client-ip'
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
  instance,
  log,
}: {
  upstream: Upstream
  identities: Identities
  instance: string
  log: Log
}) {
  return createProxy<Caller>({
    upstream,
    forwarded: 'append',
    maxBodyBytes: MAX_BODY_BYTES,
    dropRequestHeaders: [IDENTITY_HEADER, CLIENT_IP_HEADER],
    requestHeaders(headers, req, { identity, ip }) {
      headers.push(CLIENT_IP_HEADER, ip)
      if (!identity) return
      const { pathname, search } = new URL(req.url ?? '/', 'http://gateway')
      const request = { method: req.method ?? 'GET', path: pathname + search }
      headers.push(IDENTITY_HEADER, identities.sign(identity, request))
    },
    responseHeaders(headers, _req, caller) {
      headers.push(...caller.headers.flat())
      const instances = getHeader(headers, 'x-instance-id')
      setHeader(headers, 'X-Instance-Id', instances ? `${instance}, ${instances}` : instance)
    },
    onProblem(req, res, { status, code, detail, cause }) {
      log.warn({ event: 'upstream.problem', upstream: upstream.name, code, err: cause }, detail)
      sendProblem(res, {
        status,
        code: code.replaceAll('_', '-'),
        detail,
        ...(status === 503 && { retryAfter: 1 }),
      })
    },
  })
}
