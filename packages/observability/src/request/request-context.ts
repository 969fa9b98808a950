import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage } from 'node:http'
import { newRequestId, newSpanId, newTraceId } from './random-ids.ts'

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
  /** The country of the client as an ISO 3166-1 code, if it is known. */
  country?: string
  /**
   * The template of the path, such as `/api/payments/{id}`. It names one of a few routes, so that it
   * can be a label of a metric. Undefined until a route was found.
   */
  route?: string
}

const contexts = new AsyncLocalStorage<RequestContext>()

/** Decides whether a trace is recorded (the flag `sampled` of W3C Trace Context). */
export type SampleTrace = () => boolean

const always: SampleTrace = () => true

/** Returns a decision that records a share of the traces, from 0 to 1. No header influences it. */
export function createSampler(rate: number): SampleTrace {
  return rate >= 1 ? always : () => Math.random() < rate
}

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

/** Adds the country of the client, an ISO 3166-1 code, to each later log line of the current request. */
export function noteCountry(country: string): void {
  const request = currentRequest()
  if (request) request.country = country
}

/** Sets the template of the path of the current request, such as `/api/payments/{id}`. */
export function noteRoute(template: string): void {
  const request = currentRequest()
  if (request) request.route = template
}

/**
 * Reads the id and trace of a request. Malformed values are replaced by new ones.
 *
 * @param sample decides for each trace. Without it, the flag of a continued trace is preserved: only
 * for services behind the gateway, whose requests have the decision of the gateway
 */
export function readRequestContext(
  { headers }: Pick<IncomingMessage, 'headers'>,
  sample?: SampleTrace,
): RequestContext {
  const given = headers['x-request-id']
  const id = typeof given === 'string' && isRequestId(given) ? given : newRequestId()
  const parent = headers['traceparent']
  const isNewTrace = typeof parent !== 'string' || !isTraceparent(parent)
  const traceId = isNewTrace ? newTraceId() : parent.slice(3, 35)
  const flags = sample || isNewTrace ? flagsOf(sample) : parent.slice(53)
  return { id, traceId, traceparent: `00-${traceId}-${newSpanId()}-${flags}`, isNewTrace }
}

function flagsOf(sample = always): string {
  return sample() ? '01' : '00'
}

/** Writes the id and trace to the headers of the request, so that they are also forwarded. */
export function passOn(
  context: RequestContext,
  req: Pick<IncomingMessage, 'headers' | 'rawHeaders'>,
) {
  const { id, traceparent, isNewTrace } = context
  const { headers, rawHeaders: raw } = req
  headers['x-request-id'] = id
  headers['traceparent'] = traceparent
  // W3C Trace Context 3.3: tracestate belongs to the traceparent, which was not valid.
  if (isNewTrace && headers['tracestate'] !== undefined) delete headers['tracestate']
  // A repeated field must not remain beside the new value.
  let end = 0
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? ''
    if (isReplaced(name, isNewTrace)) continue
    if (end < at) {
      raw[end] = name
      raw[end + 1] = raw[at + 1] ?? ''
    }
    end += 2
  }
  raw.length = end
  raw.push('x-request-id', id, 'traceparent', traceparent)
}

/** Names of other lengths need no lower case. */
function isReplaced(name: string, isNewTrace: boolean): boolean {
  if (name.length === 12) return name.toLowerCase() === 'x-request-id'
  if (name.length === 11) return name.toLowerCase() === 'traceparent'
  return isNewTrace && name.length === 10 && name.toLowerCase() === 'tracestate'
}

/** 8 to 128 letters, digits, dots, underscores, colons and dashes. */
function isRequestId(text: string): boolean {
  if (text.length < 8 || text.length > 128) return false
  for (let at = 0; at < text.length; at += 1) {
    if (!isIdCode(text.charCodeAt(at))) return false
  }
  return true
}

function isIdCode(code: number): boolean {
  if (code >= 97) return code <= 122
  if (code >= 65) return code <= 90 || code === 95
  return (code >= 48 && code <= 58) || code === 45 || code === 46
}

/** `00-<32 digits>-<16 digits>-<2 digits>` (W3C Trace Context level 1, 3.2.2), in lower case. */
function isTraceparent(text: string): boolean {
  if (text.length !== 55 || !text.startsWith('00-')) return false
  if (text[35] !== '-' || text[52] !== '-') return false
  return isId(text, 3, 35) && isId(text, 36, 52) && areHexDigits(text, 53, 55)
}

/** All-zero ids are invalid. */
function isId(text: string, from: number, to: number): boolean {
  let isZero = true
  for (let at = from; at < to && isZero; at += 1) isZero = text.charCodeAt(at) === 48
  return !isZero && areHexDigits(text, from, to)
}

function areHexDigits(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) {
    const code = text.charCodeAt(at)
    if (!((code >= 48 && code <= 57) || (code >= 97 && code <= 102))) return false
  }
  return true
}
