import { type IncomingMessage, STATUS_CODES, type ServerResponse } from 'node:http'
import { ClientError } from './client/client-error.ts'

export type ProxyProblemCode =
  | 'bad_request'
  | 'bad_handshake'
  | 'bad_websocket_version'
  | 'body_too_large'
  | 'body_too_slow'
  | 'too_many_bodies'
  | 'overloaded'
  | 'no_instance'
  | 'circuit_open'
  | 'upstream_overloaded'
  | 'connect_failed'
  | 'upstream_reset'
  | 'upstream_timeout'
  | 'deadline_exceeded'
  | 'bad_response'
  | 'internal'

/** The reason why a request has no response of an instance. `detail` is public, `cause` is not. */
export interface ProxyProblem {
  status: number
  code: ProxyProblemCode
  detail: string
  /** When to try again, of a 429 or 503; 1 by default. */
  retryAfterS?: number
  cause?: Error
}

const problems: Record<ProxyProblemCode, Omit<ProxyProblem, 'cause'>> = {
  bad_request: {
    status: 400,
    code: 'bad_request',
    detail: 'The request cannot be forwarded as it is written.',
  },
  bad_handshake: {
    status: 400,
    code: 'bad_handshake',
    detail: 'The request is no valid handshake of a WebSocket (RFC 6455 4.2.1).',
  },
  bad_websocket_version: {
    status: 426,
    code: 'bad_websocket_version',
    detail: 'Version 13 of the WebSocket protocol is required.',
  },
  body_too_large: {
    status: 413,
    code: 'body_too_large',
    detail: 'The request body is larger than this route accepts.',
  },
  body_too_slow: {
    status: 408,
    code: 'body_too_slow',
    detail: 'The request body arrived too slowly.',
  },
  too_many_bodies: {
    status: 429,
    code: 'too_many_bodies',
    detail: 'The client is sending too many large or slow request bodies at the same time.',
  },
  overloaded: {
    status: 503,
    code: 'overloaded',
    detail: 'All connections of this route are in use; the request was not processed.',
  },
  no_instance: {
    status: 503,
    code: 'no_instance',
    detail: 'No instance serves this route.',
  },
  circuit_open: {
    status: 503,
    code: 'circuit_open',
    detail: 'Too many requests to this route failed; no further one is sent for a short time.',
  },
  upstream_overloaded: {
    status: 503,
    code: 'upstream_overloaded',
    detail: 'Too many requests to this route are in flight.',
  },
  connect_failed: {
    status: 503,
    code: 'connect_failed',
    detail: 'No instance accepted the request; it was not sent.',
  },
  upstream_reset: {
    status: 502,
    code: 'upstream_reset',
    detail: 'The instance closed the connection before its response; the request may have run.',
  },
  upstream_timeout: {
    status: 504,
    code: 'upstream_timeout',
    detail: 'The instance did not respond in time; the request may have run.',
  },
  deadline_exceeded: {
    status: 504,
    code: 'deadline_exceeded',
    detail: 'The request was not complete before its deadline; it may have run.',
  },
  bad_response: {
    status: 502,
    code: 'bad_response',
    detail: 'The response of the instance cannot be forwarded; the request may have run.',
  },
  internal: {
    status: 500,
    code: 'internal',
    detail: 'The request failed in the proxy; it may have run.',
  },
}

export function problem(code: ProxyProblemCode, cause?: Error): ProxyProblem {
  return cause ? { ...problems[code], cause } : problems[code]
}

/** Classifies an error of the client. `wasSent`: the request may have been written to a connection. */
export function problemOf(error: Error, wasSent: boolean): ProxyProblem {
  const code = error instanceof ClientError ? error.code : undefined
  if (code === 'invalid_request') return problem('bad_request', error)
  if (code === 'head_too_large') return problem('bad_response', error)
  if (!wasSent) return problem('connect_failed', error)
  if (code === 'head_timeout' || code === 'body_timeout') return problem('upstream_timeout', error)
  return problem('upstream_reset', error)
}

/**
 * Whether an error counts as a failure of the instance. An instance that refuses a body, such as one
 * that is too large, may reset the connection before its response was read.
 */
export function isInstanceFault(error: Error, { code }: ProxyProblem): boolean {
  if (error instanceof ClientError && error.code === 'unread_body') return false
  return code !== 'bad_request' && code !== 'bad_response'
}

export function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

/** The default `onProblem`: `application/problem+json` (RFC 9457), and Retry-After for a 429 or 503. */
export function answerProblem(
  req: IncomingMessage,
  res: ServerResponse,
  { status, code, detail, retryAfterS = 1 }: ProxyProblem,
): void {
  const instance = req.url?.split('?', 1)[0]
  const body = JSON.stringify({
    type: 'about:blank',
    title: STATUS_CODES[status],
    status,
    detail,
    instance,
    code,
  })
  res.writeHead(status, {
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    ...((status === 503 || status === 429) && { 'Retry-After': String(retryAfterS) }),
  })
  res.end(body)
}
