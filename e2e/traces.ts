import type { ReceivedSpan } from '@repo/testing/otlp'

export const RECEIVER_PORT = 8_197
export const TRACES_PORT = 8_198

type Span = Pick<ReceivedSpan, 'traceId' | 'spanId' | 'parentSpanId' | 'name' | 'kind' | 'instance'>

/** The last spans of the cluster, and the bytes in which they were received. */
export async function readTraces(): Promise<{ spans: Span[]; bytes: string }> {
  const response = await fetch(`http://127.0.0.1:${TRACES_PORT}/`)
  const read: { spans: Span[]; bytes: string } = await response.json()
  return read
}
