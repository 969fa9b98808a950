import { newSpanId } from '../request/random-ids.ts'
import { activeSpan } from './active-span.ts'
import type { Span } from './span.ts'

const INSTANCE = /^[A-Za-z0-9._-]{1,64}/

/**
 * Returns a function for the option `trace` of `@repo/proxy`: each attempt of a recorded request is a
 * span, and the parent of the spans of the instance that receives it.
 *
 * @param upstream the name of the upstream. The span has the name of the instance when it responds
 */
export function traceAttempts(upstream: string) {
  return function traceRequest() {
    const parent = activeSpan()
    return parent && ((origin: string, number: number) => begin(parent, upstream, origin, number))
  }
}

function begin(parent: Span, upstream: string, origin: string, number: number) {
  const span = parent.child(`proxy ${upstream}`, 'client', newSpanId())
  span.set('threefold.upstream', upstream).set('threefold.attempt', number)
  span.set('server.address', origin.slice(origin.indexOf('//') + 2))
  return {
    traceparent: span.traceparent,
    head(statusCode: number, headers: Record<string, string | string[] | undefined>): void {
      span.set('http.response.status_code', statusCode)
      // `gateway-2, auth-1`: the first one received the request.
      const [instance] = INSTANCE.exec(String(headers['x-instance-id'] ?? '')) ?? []
      if (instance === undefined) return
      span.name = `proxy ${instance}`
      span.set('threefold.target', instance)
    },
    end(outcome: string): void {
      span.set('threefold.outcome', outcome)
      span.isError = outcome !== 'ok' && outcome !== 'aborted'
      if (span.isError) span.set('error.type', outcome)
      span.end()
    },
  }
}
