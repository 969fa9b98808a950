import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { afterEach, beforeEach, expect, test, until } from '@repo/testing'
import { findUnconnected, startTraceReceiver } from '@repo/testing/otlp'
import { inRequest, readRequestContext } from '../../request/request-context.ts'
import { startSpan } from '../active-span.ts'
import { traceQuery } from '../store-spans.ts'
import { openTraces, recorded } from '../traces.fixture.ts'
import { endRequestSpan } from '../traces.ts'
import { registerLibrarySpans } from './bridge.ts'

const served = { method: 'GET', status: 200, isCut: false }
let remove: () => void

beforeEach(() => {
  remove = registerLibrarySpans()
})
afterEach(() => remove())

test('spans of a library and our spans are one trace, in the order of their calls', async () => {
  await using receiver = await startTraceReceiver()
  await using traces = openTraces(receiver.url)
  const tracer = trace.getTracer('a library')
  const request = recorded(traces, () => undefined)
  await inRequest(request, () =>
    tracer.startActiveSpan('render', { kind: SpanKind.INTERNAL }, async (span) => {
      await new Promise(setImmediate)
      traceQuery(() => 'find')?.()
      tracer.startActiveSpan('inner', (inner) => inner.end())
      trace.getActiveSpan()?.setAttribute('next.route', '/users')
      span.end()
    }),
  )
  inRequest(request, () => startSpan('beside')?.end())
  endRequestSpan(request, served)
  const spans = await receiver.traceWith('GET')
  expect(findUnconnected(spans)).toEqual([])
  const parents = spans.map(({ name, parentSpanId }) => [
    name,
    spans.find(({ spanId }) => spanId === parentSpanId)?.name,
  ])
  expect(Object.fromEntries(parents)).toEqual({
    GET: undefined,
    render: 'GET',
    'postgres find': 'render',
    inner: 'render',
    beside: 'GET',
  })
  const render = spans.find(({ name }) => name === 'render')
  expect(render?.attributes).toEqual({ 'next.route': '/users' })
})

test('a library records nothing outside of a recorded request, and its context has the trace', async () => {
  await using receiver = await startTraceReceiver()
  await using traces = openTraces(receiver.url)
  const tracer = trace.getTracer('a library')
  const outside = tracer.startSpan('outside')
  expect(outside.isRecording()).toBe(false)
  outside.end()
  const request = readRequestContext({ headers: {} }, () => false)
  traces.begin(request)
  inRequest(request, () => {
    const span = tracer.startSpan('not recorded')
    expect(span.isRecording()).toBe(false)
    expect(span.spanContext()).toMatchObject({ traceId: request.traceId, traceFlags: 0 })
    span.end()
  })
  recorded(traces, (other) => endRequestSpan(other, served))
  await until(() => receiver.spans.length)
  expect(receiver.spans).toHaveLength(1)
})

test('names, attributes, exceptions and states of a library carry no value of a client', async () => {
  await using receiver = await startTraceReceiver()
  await using traces = openTraces(receiver.url)
  const tracer = trace.getTracer('a library')
  recorded(traces, (request) => {
    const names = [
      'fetch GET https://a.test/reset/S3CRET?token=S3CRET',
      'GET /find?email=S3CRET',
      'mail to S3CRET@a.test',
      'GET /reset-password/S3CRETabcdefghijklmnop',
    ]
    for (const name of names) {
      const span = tracer.startSpan(name, {
        attributes: { 'url.full': 'S3CRET', 'http.route': '/a' },
      })
      span.setAttributes({ 'db.statement': 'S3CRET', list: ['S3CRET'], count: 1, flag: true })
      span.addEvent('S3CRET').addLink({ context: span.spanContext(), attributes: { a: 'S3CRET' } })
      span.recordException(new RangeError('S3CRET'))
      span.setStatus({ code: SpanStatusCode.ERROR, message: 'S3CRET' }).end()
    }
    endRequestSpan(request, served)
  })
  const spans = await receiver.traceWith('GET')
  expect(receiver.requests.map(({ body }) => body).join('')).not.toContain('S3CRET')
  expect(spans.map(({ name }) => name)).toEqual([
    'fetch GET https://…',
    'GET /find',
    'mail to …',
    'GET /reset-password/…',
    'GET',
  ])
  const expected = { 'http.route': '/a', count: 1, flag: true, 'error.type': 'RangeError' }
  expect(spans[0]).toMatchObject({ isError: true, attributes: expected })
})

test('a library cannot end, rename or fail the span of a request', async () => {
  await using receiver = await startTraceReceiver()
  await using traces = openTraces(receiver.url)
  recorded(traces, (request) => {
    const span = trace.getActiveSpan()
    span?.updateName('of a library').setStatus({ code: SpanStatusCode.ERROR }).end()
    expect(span?.isRecording()).toBe(true)
    endRequestSpan(request, served)
  })
  const [span] = await receiver.traceWith('GET')
  expect(span).toMatchObject({ isError: false, name: 'GET' })
})

test('times of a library have each form of the interface, and a bound function has its context', async () => {
  await using receiver = await startTraceReceiver()
  await using traces = openTraces(receiver.url)
  const tracer = trace.getTracer('a library')
  const startMs = Date.now() - 5_000
  recorded(traces, (request) => {
    const seconds = Math.floor(startMs / 1_000)
    const hr: [number, number] = [seconds, (startMs - seconds * 1_000) * 1e6]
    const monotonic = startMs - performance.timeOrigin
    for (const startTime of [
      startMs,
      new Date(startMs),
      hr,
      ...(monotonic > 0 ? [monotonic] : []),
    ]) {
      tracer.startSpan('timed', { startTime }).end(startMs + 1_000)
    }
    const outer = tracer.startSpan('outer')
    const active = trace.setSpan(context.active(), outer)
    const bound = context.bind(active, () => tracer.startSpan('bound').end())
    bound()
    outer.end()
    endRequestSpan(request, served)
  })
  const spans = await receiver.traceWith('GET')
  const timed = spans.filter(({ name }) => name === 'timed')
  expect(timed.length).toBeGreaterThanOrEqual(3)
  for (const { startNs, endNs } of timed) {
    expect(Math.abs(Number(startNs) / 1e6 - startMs)).toBeLessThan(100)
    expect(Math.abs(Number(endNs - startNs) / 1e6 - 1_000)).toBeLessThan(100)
  }
  const [outer, bound] = ['outer', 'bound'].map((name) => spans.find((span) => span.name === name))
  expect(bound?.parentSpanId).toBe(outer?.spanId)
})

test('a second provider is refused', () => {
  expect(() => registerLibrarySpans()).toThrow('another provider is registered')
})
