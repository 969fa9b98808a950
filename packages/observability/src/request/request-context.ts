import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage } from 'node:http'
import type { Span } from '../trace/span.ts'
import { newRequestId, newSpanId, newTraceId } from './random-ids.ts'

export interface RequestContext {
  /** The received `X-Request-Id` if it is well formed, otherwise a new UUIDv7. */
  id: string
  /** The trace of this request (W3C Trace Context). */
  traceId: string
  /** The span of this request at this instance. */
  spanId: string
  /** The span of the sender, if the request had a valid `traceparent`. */
  parentSpanId: string | undefined
  /** Whether this system began the trace, or its sender is part of this system. */
  isInside: boolean
  /** Whether the trace is recorded. */
  isSampled: boolean
  /** The span while it is recorded: only if this instance exports traces. */
  span?: Span
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
  /**
   * The instance behind this one that served the request, such as `auth-2`, or its address until it
   * has responded.
   */
  upstream?: string
  /** The number of instances that the request was sent to. */
  tries?: number
  /** The use of the idempotency key of the request, and a hash of the key and its owner. */
  idempotency?: { outcome: string; keyHash: string }
  /** The keyed hash of the user whose session or key was accepted. It is the same on all instances. */
  user?: string
}

const MAX_INSTANCE_CHARS = 64

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

/** The header with which a sender proves that it belongs to this system, and may decide for a trace. */
export const TRACE_KEY_HEADER = 'x-trace-key'

/**
 * Adds the user to each later log line of the current request.
 * @param hash a keyed hash, never the id or the e-mail
 */
export function noteUser(hash: string): void {
  const request = currentRequest()
  if (request) request.user = hash
}

/** Records that a request is sent to an instance, by its origin. `tries` counts this one too. */
export function noteTry(context: RequestContext, origin: string, tries: number): void {
  context.upstream = origin.slice(origin.indexOf('//') + 2)
  context.tries = tries
}

/**
 * Records the use of an idempotency key, for the log line and the span.
 * @param outcome one of a few words, such as `replayed`
 * @param keyHash a hash, never the key; the one that was recorded before by default
 */
export function noteIdempotency(
  context: RequestContext,
  outcome: string,
  keyHash = context.idempotency?.keyHash ?? '',
): void {
  context.idempotency = { outcome, keyHash }
  context.span?.set('threefold.idempotency.outcome', outcome)
}

/**
 * Records the instance that responded.
 * @param path its `X-Instance-Id`: itself, then the instances behind it
 */
export function noteUpstream(context: RequestContext, path: string): void {
  const end = path.indexOf(',')
  const name = end === -1 ? path : path.slice(0, end)
  if (name.length <= MAX_INSTANCE_CHARS) context.upstream = name
}

/**
 * Reads the id and trace of a request. Malformed values are replaced by new ones.
 *
 * @param sample decides for each trace. Without it, the decision of the sender is preserved: only for
 * services behind the gateway, whose requests have the decision of the gateway
 * @param key a sender with this `x-trace-key` belongs to this system, and its decision is preserved
 */
export function readRequestContext(
  { headers }: Pick<IncomingMessage, 'headers'>,
  sample?: SampleTrace,
  key?: string,
): RequestContext {
  const given = headers['x-request-id']
  const id = typeof given === 'string' && isRequestId(given) ? given : newRequestId()
  const parent = headers['traceparent']
  const isNewTrace = typeof parent !== 'string' || !isTraceparent(parent)
  const isInside = !sample || isNewTrace || (key !== undefined && headers[TRACE_KEY_HEADER] === key)
  const traceId = isNewTrace ? newTraceId() : parent.slice(3, 35)
  const parentSpanId = isNewTrace ? undefined : parent.slice(36, 52)
  const isSampled = isNewTrace || !isInside ? (sample ?? always)() : isSampledFlag(parent)
  const spanId = newSpanId()
  const traceparent = `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`
  return { id, traceId, spanId, parentSpanId, isInside, isSampled, traceparent, isNewTrace }
}

/** Reads a `traceparent`. Returns undefined if it is malformed. */
export function readTraceparent(text: string) {
  if (!isTraceparent(text)) return undefined
  return {
    traceId: text.slice(3, 35),
    spanId: text.slice(36, 52),
    isSampled: isSampledFlag(text),
  }
}

/** W3C Trace Context 3.2.2.5: the last bit of the flags. The others are reserved, and sent as 0. */
function isSampledFlag(traceparent: string): boolean {
  return (Number.parseInt(traceparent.slice(53), 16) & 1) === 1
}

/**
 * Writes the id and trace to the headers of the request, so that they are also forwarded. The key of
 * the sender is removed.
 */
export function passOn(
  context: RequestContext,
  req: Pick<IncomingMessage, 'headers' | 'rawHeaders'>,
) {
  const { id, traceparent } = context
  const { headers, rawHeaders: raw } = req
  const state = headers['tracestate']
  const dropsState = state !== undefined && (context.isNewTrace || !isTracestate(state))
  headers['x-request-id'] = id
  headers['traceparent'] = traceparent
  // W3C Trace Context 3.3: tracestate belongs to the traceparent. A malformed one is dropped too.
  if (dropsState) delete headers['tracestate']
  if (headers[TRACE_KEY_HEADER] !== undefined) delete headers[TRACE_KEY_HEADER]
  // A repeated field must not remain beside the new value.
  let end = 0
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? ''
    if (isReplaced(name, dropsState)) continue
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
function isReplaced(name: string, dropsState: boolean): boolean {
  if (name.length === 12) return name.toLowerCase() === 'x-request-id'
  if (name.length === 11) {
    const lower = name.toLowerCase()
    return lower === 'traceparent' || lower === TRACE_KEY_HEADER
  }
  return dropsState && name.length === 10 && name.toLowerCase() === 'tracestate'
}

const STATE_MEMBER =
  /^[a-z0-9][a-z0-9_\-*/]{0,240}(?:@[a-z][a-z0-9_\-*/]{0,13})?=[!-+\--<>-~ ]{0,255}[!-+\--<>-~]$/

/** At most 32 members and 512 characters (W3C Trace Context 3.3.1). */
function isTracestate(state: string | string[]): boolean {
  if (typeof state !== 'string' || state.length > 512) return false
  const members = state.split(',')
  return members.length <= 32 && members.every((member) => STATE_MEMBER.test(member.trim()))
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
