import { newSpanId } from '../request/random-ids.ts'
import { currentRequest } from '../request/request-context.ts'
import type { AttributeValue, Span, SpanKind } from './span.ts'

type FindSpan = () => Span | undefined

const ofRequest: FindSpan = () => currentRequest()?.span
let find = ofRequest

/** Returns the span to which new spans belong: undefined if the trace is not recorded. */
export function activeSpan(): Span | undefined {
  return find()
}

/** Replaces how the active span is found, for spans that libraries begin. */
export function findActiveSpanBy(findSpan: FindSpan | undefined): void {
  find = findSpan ? () => findSpan() ?? ofRequest() : ofRequest
}

/** Begins a span below the active one, if the trace is recorded. The caller ends it. */
export function startSpan(name: string, kind: SpanKind = 'internal'): Span | undefined {
  return find()?.child(name, kind, newSpanId())
}

/**
 * Sets an attribute of the span of the current request, if it is recorded. The value must come from
 * our code: a text of a client can contain a secret.
 */
export function noteAttribute(key: string, value: AttributeValue): void {
  currentRequest()?.span?.set(key, value)
}
