import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
} from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { freePort } from '@repo/embedded'
import { findUnconnected, startTraceReceiver, type TraceReceiver } from '@repo/testing/otlp'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'

const WAIT = { timeout: 20_000, interval: 20 }
const SECRET = 'k7Jx2mQ9vR4tY8wZ1aB5cD3eF6gH0iL-'
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PROGRAM = join(import.meta.dirname, 'edge.ts')

/** The heads of the requests that reached the instance behind the edge. */
const seen: IncomingHttpHeaders[] = []
let instance: Server
let receiver: TraceReceiver
let edge: ChildProcess
let origin = ''

function settings(port: number, behind: string, traces: Record<string, string>) {
  const urls = { GATEWAY_URLS: behind, WEB_URLS: behind }
  return { ...process.env, EDGE_HOST: '127.0.0.1', EDGE_PORT: String(port), ...urls, ...traces }
}

beforeAll(async () => {
  instance = createServer((req, res) => {
    if (req.url !== '/readyz') seen.push(req.headers)
    res.writeHead(200, { 'x-instance-id': 'gateway-2, auth-1' }).end('served')
  })
  instance.listen(0, '127.0.0.1')
  await once(instance, 'listening')
  const address = instance.address()
  const behind = typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : ''
  receiver = await startTraceReceiver()
  const port = await freePort()
  origin = `http://127.0.0.1:${port}`
  const env = settings(port, behind, {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_BSP_SCHEDULE_DELAY: '100',
    TRACE_SECRET: SECRET,
  })
  edge = spawn(process.execPath, [PROGRAM], { env, stdio: 'inherit' })
  const isServing = () =>
    fetch(`${origin}/api/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  await vi.waitUntil(isServing, WAIT)
}, 30_000)

afterAll(async () => {
  edge.kill()
  await once(edge, 'exit')
  await receiver.close()
  instance.closeAllConnections()
  instance.close()
})

/** Sends a request, and returns what the instance received and the spans of its trace. */
async function trace(path: string, headers: Record<string, string> = {}) {
  seen.length = 0
  await (await fetch(`${origin}${path}`, { headers })).text()
  const [received = {}] = seen
  const [, traceId = '', parent = '', flags] = String(received['traceparent']).split('-')
  const ofTrace = () => receiver.spans.filter((span) => span.traceId === traceId)
  const isWhole = () => ofTrace().some(({ kind }) => kind === 2)
  if (flags === '01') await vi.waitUntil(isWhole, WAIT)
  return { received, parent, flags, spans: ofTrace() }
}

test('a request is a span of the edge and one of its attempt, which is the parent for the instance', async () => {
  const { received, parent, spans } = await trace('/api/users?token=S3CRET', { cookie: 'S3CRET' })
  expect(findUnconnected(spans)).toEqual([])
  const [server, attempt] = [2, 3].map((kind) => spans.find((span) => span.kind === kind))
  expect(server).toMatchObject({
    name: 'GET /api/*',
    instance: 'edge-1',
    resource: { 'service.name': 'edge' },
  })
  expect(attempt).toMatchObject({ name: 'proxy gateway-2', parentSpanId: server?.spanId })
  expect(attempt?.attributes).toMatchObject({ 'threefold.outcome': 'ok', 'threefold.attempt': 1 })
  expect(parent).toBe(attempt?.spanId)
  expect(received['x-trace-key']).toBe(SECRET)
  expect(receiver.requests.map(({ body }) => body).join('')).not.toContain('S3CRET')
})

test('the edge preserves a valid trace id from outside with a link, and ignores its flag', async () => {
  for (const flags of ['00', '01']) {
    const outside = TRACE.slice(0, -2) + flags
    const { received, spans } = await trace('/', {
      traceparent: `00-${outside}-00f067aa0ba902b7-${flags}`,
      tracestate: 'vendor=1',
    })
    const server = spans.find(({ kind }) => kind === 2)
    expect(server).toMatchObject({
      traceId: outside,
      parentSpanId: undefined,
      links: [{ traceId: outside, spanId: '00f067aa0ba902b7' }],
    })
    expect(received['tracestate']).toBe('vendor=1')
  }
})

test.for([
  [`00-${TRACE}-00f067aa0ba902b7-01-more`, 'vendor=1'],
  [`00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, 'vendor=1'],
  [`00-${TRACE}-${'0'.repeat(16)}-01`, 'vendor=1'],
  [`ff-${TRACE}-00f067aa0ba902b7-01`, 'vendor=1'],
  ['$(reboot)', 'vendor=1'],
  ['x'.repeat(100), 'vendor=1'],
])(
  'the malformed traceparent %s is dropped with its tracestate',
  async ([traceparent = '', tracestate = '']) => {
    const { received, spans } = await trace('/api/users', { traceparent, tracestate })
    expect(received['traceparent']).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    expect(received['traceparent']).not.toContain(TRACE)
    expect(received['tracestate']).toBeUndefined()
    expect(spans.find(({ kind }) => kind === 2)).toMatchObject({
      links: [],
      parentSpanId: undefined,
    })
  },
)

test.for(['x', 'a=b,,c', 'A=1', `a=${'x'.repeat(600)}`, 'a=é', Array(40).fill('a=1').join()])(
  'the malformed tracestate %s is dropped, and the trace continues',
  async (tracestate) => {
    const traceparent = `00-${TRACE}-00f067aa0ba902b7-01`
    const { received } = await trace('/api/users', { traceparent, tracestate })
    expect(received['traceparent']).toContain(TRACE)
    expect(received['tracestate']).toBeUndefined()
  },
)

test('the span of a refused upgrade has the status that the client received', async () => {
  seen.length = 0
  const headers = {
    ...{ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  }
  const sent = request(`${origin}/api/live`, { agent: false, headers }).end()
  const [response]: IncomingMessage[] = await once(sent, 'response')
  await text(response!)
  const [, traceId = ''] = String(seen[0]?.['traceparent']).split('-')
  const find = () => receiver.spans.find((span) => span.traceId === traceId && span.kind === 2)
  await vi.waitUntil(find, WAIT)
  expect(response?.statusCode).not.toBe(101)
  expect(find()?.attributes).toMatchObject({
    'http.response.status_code': response?.statusCode,
  })
})

test('a client cannot send the key of the system', async () => {
  const { received } = await trace('/api/users', { 'x-trace-key': 'a guess' })
  expect(received['x-trace-key']).toBe(SECRET)
})

test('an edge with faulty settings of traces prints each one and exits 78', async () => {
  const env = settings(0, 'http://127.0.0.1:1', {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost:4317',
    OTEL_TRACES_SAMPLER: 'sometimes',
  })
  const faulty = spawn(process.execPath, [PROGRAM], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const [printed, [code]] = await Promise.all([text(faulty.stderr), once(faulty, 'exit')])
  expect(code).toBe(78)
  expect(printed).toContain('OTEL_EXPORTER_OTLP_ENDPOINT: must be an http or https URL')
  expect(printed).toContain('OTEL_TRACES_SAMPLER: ')
})
