import { newSpanId, newTraceId } from '../request/random-ids.ts'
import { readTraceparent } from '../request/request-context.ts'
import { activeSpan } from './active-span.ts'
import { Span, type SpanSink } from './span.ts'
import { endWith } from './store-spans.ts'

/** Spans of work that a request caused, and that runs after it, possibly on another instance. */
export interface LinkedSpans {
  /** Returns the `traceparent` to store with the work: undefined if the trace is not recorded. */
  current(): string | undefined
  /**
   * Begins a span with a new trace. It is linked to the span of the stored `traceparent`.
   *
   * @returns a function that ends the span, and receives the error if the work failed. A span that is
   * never ended is not sent. Undefined if the stored value is malformed, or names a trace that is not
   * recorded
   */
  begin(name: string, traceparent: string): ((error?: unknown) => void) | undefined
}

/** Creates the spans of later work. The decision of the request that caused the work is preserved. */
export function createLinkedSpans(sink: SpanSink): LinkedSpans {
  return {
    current: () => activeSpan()?.traceparent,
    begin(name, traceparent) {
      const cause = readTraceparent(traceparent)
      if (!cause?.isSampled) return undefined
      const ids = { traceId: newTraceId(), spanId: newSpanId() }
      const span = new Span(sink, name, 'consumer', ids)
      span.link = cause
      return (error) => endWith(span, error)
    },
  }
}
