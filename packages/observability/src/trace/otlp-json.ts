import { type AttributeValue, type Span, spanKinds } from './span.ts'

/** Text that needs no escape in JSON. */
const PLAIN = /^[\x20!\x23-\x5b\x5d-\x7e]*$/
const SCOPE = '{"name":"threefold"}'

/** Returns the text before the spans of a request to a receiver (OTLP 1.x, JSON encoding). */
export function openingOf(resource: Readonly<Record<string, string>>): string {
  const attributes = Object.entries(resource).map(([key, value]) => attribute(key, value))
  return `{"resourceSpans":[{"resource":{"attributes":[${attributes.join(',')}]},"scopeSpans":[{"scope":${SCOPE},"spans":[`
}

/** The text after the spans. */
export const CLOSING = ']}]}]}'

/**
 * Returns a span as JSON. This is written by hand: an object for each attribute and `JSON.stringify`
 * cost three times as much.
 *
 * @param epochMs the time since the Unix epoch at the monotonic time 0, in ms
 */
export function encodeSpan(span: Span, epochMs: number): string {
  const { traceId, spanId, parentSpanId, kind, startedAtMs, endedAtMs, link, attributes } = span
  let text = `{"traceId":"${traceId}","spanId":"${spanId}",`
  if (parentSpanId !== undefined) text += `"parentSpanId":"${parentSpanId}",`
  text += `"flags":1,"name":${quote(span.name)},"kind":${spanKinds[kind]},"startTimeUnixNano":"${nanoseconds(epochMs + startedAtMs)}","endTimeUnixNano":"${nanoseconds(epochMs + endedAtMs)}"`
  for (let at = 0; at < attributes.length; at += 2) {
    text += at === 0 ? ',"attributes":[' : ','
    text += attribute(String(attributes[at]), attributes[at + 1] ?? '')
  }
  if (attributes.length > 0) text += ']'
  if (link) text += `,"links":[{"traceId":"${link.traceId}","spanId":"${link.spanId}"}]`
  return `${text}${span.isError ? ',"status":{"code":2}' : ''}}`
}

function attribute(key: string, value: AttributeValue): string {
  return `{"key":${quote(key)},"value":{${encodeValue(value)}}}`
}

function encodeValue(value: AttributeValue): string {
  if (typeof value === 'string') return `"stringValue":${quote(value)}`
  if (typeof value === 'boolean') return `"boolValue":${value}`
  if (Number.isSafeInteger(value)) return `"intValue":"${value}"`
  return `"doubleValue":${Number.isFinite(value) ? value : 0}`
}

/** Receivers refuse half of a surrogate pair, which a cut value can end with. */
function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text.toWellFormed())
}

/** A number has too few digits for nanoseconds, and a BigInt is slow. */
function nanoseconds(ms: number): string {
  const whole = Math.floor(ms)
  return `${whole}${String(Math.floor((ms - whole) * 1e6)).padStart(6, '0')}`
}
