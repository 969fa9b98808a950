import type { ReceivedSpan } from './trace-receiver.ts'

/**
 * Returns why the spans are not one connected trace: the names of spans whose parent is missing, apart
 * from one root, and of spans of another trace. The list is empty for a connected trace.
 */
export function findUnconnected(spans: readonly ReceivedSpan[]): string[] {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined)
  const [first] = spans
  return [
    ...spans
      .filter(({ parentSpanId }) => parentSpanId !== undefined && !ids.has(parentSpanId))
      .map(({ name }) => `${name}: the parent is missing`),
    ...spans
      .filter(({ traceId }) => traceId !== first?.traceId)
      .map(({ name }) => `${name}: of another trace`),
    ...roots.slice(1).map(({ name }) => `${name}: a second root`),
    ...(roots.length === 0 ? ['no root'] : []),
  ]
}
