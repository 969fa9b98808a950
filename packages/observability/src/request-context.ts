import { AsyncLocalStorage } from 'node:async_hooks'
import { randomBytes, randomUUIDv7 } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

export interface RequestContext {
  /** The `X-Request-Id` that came in, if well formed, else a new UUIDv7. */
  id: string
  /** W3C Trace Context: the trace that this request belongs to. */
  traceId: string
  /** What upstreams are sent: the same trace, this instance's span as the parent. */
  traceparent: string
  /** Whether the trace begins here, because no valid one came in. */
  isNewTrace: boolean
  /** The administrator who acts for a user in this request; each log line from then on names both. */
  actor?: { id: string; userId: string }
}

const contexts = new AsyncLocalStorage<RequestContext>()

const REQUEST_ID = /^[A-Za-z0-9._:-]{8,128}$/
// W3C Trace Context level 1, 3.2.2; all-zero ids are invalid.
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/

/** The request being served where this is called, or undefined outside of one. */
export function currentRequest(): RequestContext | undefined {
  return contexts.getStore()
}

/** Runs `serve` as part of the request: what it logs and calls carries the request's id. */
export function inRequest<T>(context: RequestContext, serve: () => T): T {
  return contexts.run(context, serve)
}

/** From now on each log line of the current request names the administrator and the user. */
export function noteActor(actor: { id: string } | undefined, userId: string): void {
  const request = currentRequest()
  if (actor && request) request.actor = { id: actor.id, userId }
}

/** Who a request is: its own id and trace where they are well formed, else new ones. */
export function readRequestContext(req: Pick<IncomingMessage, 'headers'>): RequestContext {
  const given = req.headers['x-request-id']
  const id = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUIDv7()
  const parent = TRACEPARENT.exec(String(req.headers['traceparent'] ?? ''))
  const traceId = parent?.[1] ?? randomBytes(16).toString('hex')
  const span = randomBytes(8).toString('hex')
  const traceparent = `00-${traceId}-${span}-${parent?.[2] ?? '01'}`
  return { id, traceId, traceparent, isNewTrace: !parent }
}

/** Writes the id and trace on the request itself, so that whatever serves or forwards it sees them. */
export function passOn({ id, traceparent, isNewTrace }: RequestContext, req: IncomingMessage) {
  replaceHeader(req, 'x-request-id', id)
  replaceHeader(req, 'traceparent', traceparent)
  // W3C Trace Context 3.3: it belongs to the traceparent that was not valid.
  if (isNewTrace) replaceHeader(req, 'tracestate', undefined)
}

/** Parsed and raw; every field of the name goes, or a repeated one would pass beside ours. */
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
