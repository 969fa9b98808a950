import type { BackgroundLog } from '@repo/concurrency'
import type { Figure } from '../metrics/figures.ts'
import type { RequestContext } from '../request/request-context.ts'
import { createExporter } from './exporter.ts'
import { createLinkedSpans, type LinkedSpans } from './linked-spans.ts'
import { dropReasons } from './receiver.ts'
import { SpanQueue } from './span-queue.ts'
import { Span } from './span.ts'

/** Where traces are sent, and the attributes of all spans of the instance. */
export interface TraceSettings {
  /** The URL of the receiver (OTLP over HTTP, with JSON), including the path. */
  url: string
  headers?: Readonly<Record<string, string>> | undefined
  /** The attribute `service.name`; the name of the app by default. */
  serviceName?: string | undefined
  attributes?: Readonly<Record<string, string>> | undefined
  /** How long a span waits until it is sent with others, in ms; 5,000 by default. */
  delayMs?: number | undefined
}

export interface TracesOptions {
  settings: TraceSettings
  app: string
  instance: string
  version: string
  log?: BackgroundLog | undefined
  /** The shortest time between two requests to the receiver, in ms: by default 1,000, or a shorter delay. */
  everyMs?: number
  /** How long a request to the receiver can take, in ms. */
  timeoutMs?: number
}

/** The end of a request, for its span. */
export interface TracedEnd {
  method: string
  status: number
  isCut: boolean
}

export interface Traces {
  /** Begins the span of a request, if its trace is recorded. */
  begin: (context: RequestContext) => void
  /** Spans of work that a request caused, and that runs after it: for the option `trace` of the outbox. */
  linked: LinkedSpans
  figures: Figure[]
  /** Sends the remaining spans within 1 s. Spans that end later are never sent. */
  close: () => Promise<void>
}

/** Spans that wait for the next request to the receiver. */
const QUEUED_SPANS = 2_048

/**
 * Creates the traces of an instance: spans of requests whose trace is recorded, which are sent to a
 * receiver when 512 wait, at most once a second, or after the delay of the settings. A receiver that is slow, full or unreachable delays no request. Spans that it
 * cannot get are dropped and counted.
 */
export function createTraces(options: TracesOptions): Traces {
  const { settings, app, instance, version, log, timeoutMs = 2_000 } = options
  const { url, headers = {}, serviceName, attributes = {}, delayMs = 5_000 } = settings
  const { everyMs = Math.min(delayMs, 1_000) } = options
  const queue = new SpanQueue(QUEUED_SPANS)
  const exporter = createExporter({
    queue,
    receiver: { url, headers, timeoutMs },
    resource: {
      'service.namespace': 'threefold',
      'service.name': app,
      'service.instance.id': instance,
      'service.version': version,
      ...attributes,
      ...(serviceName !== undefined && { 'service.name': serviceName }),
    },
    everyMs,
    delayMs,
    log,
  })
  return {
    begin(context) {
      if (!context.isSampled) return
      const { traceId, parentSpanId, isInside } = context
      const span = new Span(queue, '', 'server', context, isInside ? parentSpanId : undefined)
      // The trace of another system is a cause, and its spans are not in the receiver.
      if (!isInside && parentSpanId !== undefined) span.link = { traceId, spanId: parentSpanId }
      context.span = span
    },
    linked: createLinkedSpans(queue),
    figures: [
      {
        name: 'threefold_trace_spans_exported_total',
        help: 'Spans that the receiver of traces accepted',
        kind: 'counter',
        read: exporter.exported,
      },
      ...dropReasons.map((reason) => ({
        name: 'threefold_trace_spans_dropped_total',
        help: 'Spans that were dropped, by reason',
        kind: 'counter' as const,
        labels: { reason },
        read: () => exporter.dropped(reason),
      })),
      {
        name: 'threefold_trace_export_failures_total',
        help: 'Requests to the receiver of traces that failed',
        kind: 'counter',
        read: exporter.failures,
      },
    ],
    close: exporter.close,
  }
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** Ends the span of a request. The path of the client is no part of it: paths can contain tokens. */
export function endRequestSpan(
  context: RequestContext,
  { method, status, isCut }: TracedEnd,
): void {
  const { span, route, id } = context
  if (!span) return
  // Semantic conventions of OpenTelemetry: a client can choose any method.
  const bounded = METHODS.has(method) ? method : '_OTHER'
  span.name = route === undefined ? bounded : `${bounded} ${route}`
  span.set('http.request.method', bounded)
  if (route !== undefined) span.set('http.route', route)
  span.set('http.response.status_code', status).set('threefold.request_id', id)
  if (isCut) span.set('threefold.cut', true)
  if (status >= 500) {
    span.isError = true
    span.set('error.type', String(status))
  }
  span.end()
}
