import { AsyncLocalStorage } from 'node:async_hooks'
import { randomBytes, randomUUIDv7 } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

export interface RequestContext {
  /** The received `X-Request-Id` if it is well formed, otherwise a new UUIDv7. */
  id: string
  /** The trace of this request (W3C Trace Context). */
  traceId: string
  /** The header for upstreams: the same trace, with the span of this instance as the parent. */
  traceparent: string
  /** Whether the trace begins here, because the request had no valid `traceparent`. */
  isNewTrace: boolean
  /** The administrator who acts for a user in this request. */
  actor?: { id: string; userId: string }
}

const contexts = new AsyncLocalStorage<RequestContext>()

const REQUEST_ID = /^[A-Za-z0-9._:-]{8,128}$/
// W3C Trace Context level 1, 3.2.2; all-zero ids are invalid.
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/

/** Returns the context of the request that is being served, or undefined outside of a request. */
export function currentRequest(): RequestContext | undefined {
  return contexts.getStore()
}

/** Runs `serve` in the context of a request, so that its log lines carry the request id. */
export function inRequest<T>(context: RequestContext, serve: () => T): T {
  return contexts.run(context, serve)
}

/** Adds the administrator and the user to each later log line of the current request. */
export function noteActor(actor: { id: string } | undefined, userId: string): void {
  const request = currentRequest()
  if (actor && request) request.actor = { id: actor.id, userId }
}

/** Reads the id and trace of a request. Malformed values are replaced by new ones. */
export function readRequestContext(req: Pick<IncomingMessage, 'headers'>): RequestContext {
  const given = req.headers['x-request-id']
  const id = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUIDv7()
  const parent = TRACEPARENT.exec(String(req.headers['traceparent'] ?? ''))
  const traceId = parent?.[1] ?? randomBytes(16).toString('hex')
  const span = randomBytes(8).toString('hex')
  const traceparent = `00-${traceId}-${span}-${parent?.[2] ?? '01'}`
  return { id, traceId, traceparent, isNewTrace: !parent }
}

/** Writes the id and trace to the headers of the request, so that they are also forwarded. */
export function passOn({ id, traceparent, isNewTrace }: RequestContext, req: IncomingMessage) {
  replaceHeader(req, 'x-request-id', id)
  replaceHeader(req, 'traceparent', traceparent)
  // W3C Trace Context 3.3: tracestate belongs to the traceparent, which was not valid.
  if (isNewTrace) replaceHeader(req, 'tracestate', undefined)
}

/** Replaces a header, parsed and raw. A repeated field must not remain beside the new value. */
function replaceHeader(req: IncomingMessage, name: string, value: string | undefined) {
  const raw = req.rawHeaders
  for (let i = raw.length - 2; i >= 0; i -= 2) {
    if (raw[i]?.toLowerCase() === name) raw.splice(i, 2)
  }
  if (value === undefined) {
    delete req.headers[name]
  } else {
    req.headers[name] = value
    raw.push(name, value)
  }
}
