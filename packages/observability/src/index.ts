export { captureConsole, captureWarnings } from './log/capture-console.ts'
export { createLineOutput } from './log/line-output.ts'
export { createInstanceLog, createLog, type Log, logFigures, logRequest } from './log/log.ts'
export {
  type AnyFigure,
  type Exemplar,
  type Figure,
  type HistogramCounts,
  type HistogramFigure,
  type SeriesFigure,
} from './metrics/figures.ts'
export { createHistogram, type Histogram } from './metrics/histogram.ts'
export { instanceFigures } from './metrics/instance-figures.ts'
export { createMetrics, type Metrics } from './metrics/metrics.ts'
export { writeBeforeExit } from './log/output-target.ts'
export { reasonOf } from './reason.ts'
export { type ServedRequest } from './log/request-log.ts'
export {
  createSampler,
  currentRequest,
  inRequest,
  noteActor,
  noteCountry,
  noteRoute,
  noteIdempotency,
  noteTry,
  noteUpstream,
  noteUser,
  passOn,
  readRequestContext,
  type RequestContext,
  type SampleTrace,
  TRACE_KEY_HEADER,
} from './request/request-context.ts'
export { noteAttribute, startSpan } from './trace/active-span.ts'
export { traceAttempts } from './trace/attempt-spans.ts'
export type { LinkedSpans } from './trace/linked-spans.ts'
export type { AttributeValue, Span, SpanKind } from './trace/span.ts'
export { traceQuery, traceRedisCall } from './trace/store-spans.ts'
export { createTraces, endRequestSpan, type Traces, type TraceSettings } from './trace/traces.ts'
