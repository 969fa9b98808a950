import { expect, test, until } from '@repo/testing'
import { findUnconnected, startTraceReceiver } from '@repo/testing/otlp'
import { currentRequest, inRequest, readRequestContext } from '../request/request-context.ts'
import { noteAttribute, startSpan } from './active-span.ts'
import { traceQuery, traceRedisCall } from './store-spans.ts'
import { openTraces, recorded } from './traces.fixture.ts'
import { endRequestSpan } from './traces.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const OUTSIDE = `00-${TRACE}-00f067aa0ba902b7-01`
const KEY = 'a key of at least thirty-two characters'
const served = { method: 'POST', status: 201, isCut: false }

test('a recorded request is one connected trace with its queries, its slow calls of Redis and its attributes', async () => {
  await using receiver = await startTraceReceiver()
  await using traces = openTraces(receiver.url)
  const wallMs = Date.now()
  const context = recorded(traces, (request) => {
    request.route = '/api/payments/{id}'
    noteAttribute('threefold.session.tier', 'memo')
    traceQuery(() => 'insert payments')?.()
    traceQuery(() => 'find')?.(Object.assign(new Error('value=secret'), { code: '23505' }))
    traceRedisCall()?.('GET')
    const slow = traceRedisCall()
    const until5Ms = performance.now() + 6
    while (performance.now() < until5Ms) continue
    slow?.('EVALSHA', new TypeError('secret'))
    slow?.('', new TypeError('secret'))
    endRequestSpan(request, served)
  })
  const name = 'POST /api/payments/{id}'
  const spans = await receiver.traceWith(name)
  expect(findUnconnected(spans)).toEqual([])
  const [root, insert, find, redis] = ['POST /', 'postgres insert', 'postgres find', 'redis'].map(
    (start) => spans.find((span) => span.name.startsWith(start)),
  )
  expect(spans).toHaveLength(5)
  expect(root).toMatchObject({ kind: 2, spanId: context.spanId, traceId: context.traceId, name })
  expect(root?.attributes).toMatchObject({
    'http.request.method': 'POST',
    'http.route': '/api/payments/{id}',
    'http.response.status_code': 201,
    'threefold.request_id': context.id,
    'threefold.session.tier': 'memo',
    'redis.calls': 3,
  })
  expect(root?.attributes['redis.ms']).toBeGreaterThan(5)
  expect(root?.resource).toEqual({
    'service.namespace': 'threefold',
    'service.name': 'payments',
    'service.instance.id': 'payments-1',
    'service.version': '1.2.3',
  })
  expect(insert).toMatchObject({ kind: 3, isError: false, name: 'postgres insert payments' })
  expect(find).toMatchObject({ isError: true, attributes: { 'error.type': '23505' } })
  expect(spans.map((span) => span.name)).toContain('redis UNSENT')
  expect(redis).toMatchObject({ name: 'redis EVALSHA', attributes: { 'error.type': 'TypeError' } })
  expect(Number(root?.startNs) / 1e6).toBeGreaterThan(wallMs - 1_000)
  expect(spans.filter(({ startNs, endNs }) => startNs > endNs)).toEqual([])
  expect(receiver.requests[0]?.body).not.toContain('secret')
})

test('a request that is not recorded begins no span, and its calls of stores are not observed', async () => {
  await using receiver = await startTraceReceiver()
  await using traces = openTraces(receiver.url)
  const context = readRequestContext({ headers: {} }, () => false)
  traces.begin(context)
  inRequest(context, () => {
    expect(currentRequest()?.span).toBeUndefined()
    expect([startSpan('work'), traceQuery(() => 'find'), traceRedisCall()]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    endRequestSpan(context, served)
  })
  expect(startSpan('outside of a request')).toBeUndefined()
  recorded(traces, (request) => endRequestSpan(request, served))
  await until(() => receiver.spans.length)
  expect(receiver.spans).toHaveLength(1)
})

test('the trace of an outside system is a link, and the trace of an inside one has its parent', async () => {
  await using receiver = await startTraceReceiver()
  await using traces = openTraces(receiver.url)
  const headers = { traceparent: OUTSIDE }
  const outside = readRequestContext({ headers }, () => true, KEY)
  const inside = readRequestContext(
    { headers: { ...headers, 'x-trace-key': KEY } },
    () => false,
    KEY,
  )
  const behind = readRequestContext({ headers })
  for (const context of [outside, inside, behind]) {
    traces.begin(context)
    endRequestSpan(context, served)
  }
  await until(() => receiver.spans.length === 3)
  const parentSpanId = OUTSIDE.slice(36, 52)
  expect(receiver.spans).toMatchObject([
    { traceId: TRACE, parentSpanId: undefined, links: [{ traceId: TRACE, spanId: parentSpanId }] },
    { traceId: TRACE, parentSpanId, links: [] },
    { traceId: TRACE, parentSpanId, links: [] },
  ])
})

test.for([
  ['a wrong key', 'another key of at least thirty-two characters', KEY],
  ['no key', undefined, KEY],
  ['a key where none is set', KEY, undefined],
] as const)('the flag of a sender with %s is ignored', ([, sent, key]) => {
  const headers = { traceparent: OUTSIDE, ...(sent !== undefined && { 'x-trace-key': sent }) }
  const context = readRequestContext({ headers }, () => false, key)
  expect(context).toMatchObject({ isInside: false, isSampled: false, traceId: TRACE })
  expect(context.traceparent).toMatch(/-00$/)
})

test('the flag of a sender with the key is preserved, in both directions', () => {
  for (const flags of ['00', '01']) {
    const headers = { traceparent: OUTSIDE.slice(0, -2) + flags, 'x-trace-key': KEY }
    const { traceparent, isSampled } = readRequestContext({ headers }, () => flags === '00', KEY)
    expect([isSampled, traceparent.slice(-2)]).toEqual([flags === '01', flags])
  }
})

test('a method, a path and a status of a client cannot add names, and a cut response is marked', async () => {
  await using receiver = await startTraceReceiver()
  await using traces = openTraces(receiver.url)
  recorded(traces, (request) =>
    endRequestSpan(request, { method: 'S3CRET', status: 503, isCut: true }),
  )
  const [span] = await receiver.traceWith('_OTHER')
  expect(span).toMatchObject({ isError: true })
  expect(span?.attributes).toMatchObject({ 'error.type': '503', 'threefold.cut': true })
  expect(receiver.requests[0]?.body).not.toContain('S3CRET')
})

test('a span accepts at most 24 attributes, texts of 200 characters, and nothing after its end', async () => {
  await using receiver = await startTraceReceiver()
  await using traces = openTraces(receiver.url)
  recorded(traces, (request) => {
    const span = startSpan('n'.repeat(1_000))
    for (let n = 0; n < 100; n += 1) span?.set(`key ${n}`, '\u{1f600}'.repeat(1_000))
    span?.end()
    span?.set('key 0', 'late').end()
    endRequestSpan(request, served)
  })
  await until(() => receiver.spans.length)
  expect(receiver.spans).toHaveLength(2)
  const [span] = receiver.spans
  expect(span?.name).toBe('n'.repeat(200))
  expect(Object.keys(span?.attributes ?? {})).toHaveLength(24)
  expect(span?.attributes['key 0']).toBe('\u{1f600}'.repeat(100))
})

test('names and attributes with any text are valid JSON with the same values', async () => {
  await using receiver = await startTraceReceiver()
  await using traces = openTraces(receiver.url)
  const texts = ['"', '\\', '\n\u0000\u2028', 'é中\u{1f600}', '</script>', '"},{"key":"x']
  recorded(traces, (request) => {
    const span = startSpan('"\\\n')
    texts.forEach((text, n) => span?.set(`${n} "`, text))
    span?.set('half', 'a\ud83d').set('nan', Number.NaN).set('float', 1.5).set('flag', false)
    span?.set('big', 2 ** 60)
    span?.end()
    endRequestSpan(request, served)
  })
  const [span] = await receiver.traceWith('"\\\n')
  texts.forEach((text, n) => expect(span?.attributes[`${n} "`]).toBe(text))
  expect(span?.attributes).toMatchObject({ half: 'a\ufffd', nan: 0, float: 1.5, flag: false })
  expect(span?.attributes['big']).toBe(2 ** 60)
})
