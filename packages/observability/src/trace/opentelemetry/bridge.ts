import {
  context,
  type Context,
  ROOT_CONTEXT,
  type SpanOptions,
  trace,
  type Tracer,
} from '@opentelemetry/api'
import { newSpanId } from '../../request/random-ids.ts'
import { currentRequest } from '../../request/request-context.ts'
import { findActiveSpanBy } from '../active-span.ts'
import { cleanName } from './clean.ts'
import { RequestContextManager } from './context-manager.ts'
import { kindOf, LibrarySpan } from './library-span.ts'
import { monotonicMs } from './time.ts'

/**
 * Registers a provider of tracers on `@opentelemetry/api`, so that the spans of libraries belong to the
 * trace of the current request. A library span outside of a recorded request is not recorded. Texts in
 * attributes of libraries can contain secrets: only those of a short list are recorded.
 *
 * @returns a function that removes the provider
 * @throws Error when another provider is registered
 */
export function registerLibrarySpans(): () => void {
  const isFirst =
    trace.setGlobalTracerProvider({ getTracer: () => tracer }) &&
    context.setGlobalContextManager(new RequestContextManager(contextOfRequest).enable())
  if (!isFirst) throw new Error('another provider is registered on @opentelemetry/api')
  findActiveSpanBy(() => recordedSpan(context.active()))
  return () => {
    findActiveSpanBy(undefined)
    context.disable()
    trace.disable()
  }
}

/** Returns the context of the current request, in which its span is active. */
function contextOfRequest(): Context {
  const request = currentRequest()
  if (!request) return ROOT_CONTEXT
  const { span, traceId, spanId } = request
  if (span) return trace.setSpan(ROOT_CONTEXT, new LibrarySpan(span, false))
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: 0 })
}

function recordedSpan(active: Context) {
  const span = trace.getSpan(active)
  return span instanceof LibrarySpan ? span.record : undefined
}

const tracer: Tracer = {
  startSpan(name: string, options: SpanOptions = {}, parent: Context = context.active()) {
    const record = options.root ? undefined : recordedSpan(parent)
    const notRecorded = trace.getSpanContext(parent) ?? { traceId: '', spanId: '', traceFlags: 0 }
    if (!record) return trace.wrapSpanContext(notRecorded)
    const startedAtMs = monotonicMs(options.startTime)
    const child = record.child(cleanName(name), kindOf(options.kind), newSpanId(), startedAtMs)
    return new LibrarySpan(child).setAttributes(options.attributes ?? {})
  },
  startActiveSpan(name: string, ...rest: readonly unknown[]) {
    const run = rest.at(-1)
    if (typeof run !== 'function') return undefined
    const [options, given] = rest.slice(0, -1)
    const parent = isContext(given) ? given : context.active()
    const span = tracer.startSpan(name, isOptions(options) ? options : {}, parent)
    return context.with(trace.setSpan(parent, span), () => run(span))
  },
}

function isOptions(value: unknown): value is SpanOptions {
  return typeof value === 'object' && value !== null
}

function isContext(value: unknown): value is Context {
  return isOptions(value) && 'getValue' in value
}
