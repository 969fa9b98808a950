import { get, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { expect, vi } from 'vitest'
import { readDeadline, RequestDeadlines } from './request-deadlines.ts'
import { ask, test, until } from './servers.fixture.ts'
import type { UpstreamEvent } from './upstream/upstream.ts'

const deadline = (ms: string) => ({ headers: { 'x-request-deadline': ms } })

test('a request without a response at its deadline is a 504, and is sent once', async ({
  servers,
}) => {
  const silent = vi.fn()
  const origin = await servers.serve(silent)
  const upstream = servers.upstreamOf([origin, origin])
  const answer = await ask(await servers.proxyOf(upstream, { deadlineMs: 50 }))
  expect(answer.status).toBe(504)
  expect(answer.headers).toMatchObject({ 'content-type': 'application/problem+json' })
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'deadline_exceeded' })
  await until(() => upstream.targets().every(({ inFlight }) => inFlight === 0))
  expect(silent).toHaveBeenCalledTimes(1)
})

test('a response that is incomplete at the deadline breaks off', async ({ servers }) => {
  const app = await servers.serve((_req, res) => void res.write('half'))
  const proxy = await servers.proxyOf([app], { deadlineMs: 50 })
  await expect(ask(proxy)).rejects.toThrow(/aborted|hang up/)
})

test('an instance receives the time that is left, and not the one that the client wrote', async ({
  servers,
}) => {
  const app = await servers.serve((req, res) => {
    res.end(String(req.headers['x-request-deadline']))
  })
  const sent = { headers: { 'x-request-deadline': '999999' } }
  const edge = await servers.proxyOf([app])
  expect((await ask(edge, sent)).body).toBe('undefined')
  const limited = await servers.proxyOf([app], { deadlineMs: () => 5_000 })
  const left = Number((await ask(limited, sent)).body)
  expect(left).toBeGreaterThan(3_000)
  expect(left).toBeLessThanOrEqual(5_000)
})

test('behind a trusted proxy the shorter deadline counts', async ({ servers }) => {
  const app = await servers.serve((req, res) => {
    if (req.url === '/fast') res.end(String(req.headers['x-request-deadline']))
  })
  const inner = await servers.proxyOf([app], { forwarded: 'append', deadlineMs: 60_000 })
  expect(Number((await ask(inner, { path: '/fast', ...deadline('5000') })).body)).toBeLessThan(
    5_001,
  )
  expect((await ask(inner, deadline('50'))).status).toBe(504)
  for (const malformed of ['-1', '0', '1e9', 'soon', '99999999999']) {
    const left = Number((await ask(inner, { path: '/fast', ...deadline(malformed) })).body)
    expect(left).toBeGreaterThan(5_001)
    expect(left).toBeLessThanOrEqual(60_000)
  }
})

for (const headers of [{ accept: 'text/event-stream' }, {}]) {
  test(`an event stream has no deadline, with the headers ${JSON.stringify(headers)}`, async ({
    servers,
  }) => {
    const begun = Promise.withResolvers<ServerResponse>()
    const app = await servers.serve((req, res) => {
      if (req.url === '/silent') return
      res.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
      begun.resolve(res)
    })
    const proxy = await servers.proxyOf([app], { deadlineMs: 50 })
    const stream = await new Promise<IncomingMessage>((resolve, reject) => {
      get(proxy, { agent: false, headers }, resolve).on('error', reject)
    })
    // The deadline of a later request ends while the stream is open.
    expect((await ask(proxy, { path: '/silent' })).status).toBe(504)
    const source = await begun.promise
    source.end('data: 1\n\n')
    expect(Buffer.concat(await stream.toArray()).toString()).toBe('data: 1\n\n')
  })
}

test('a request whose body is incomplete at its deadline is a 408, and no instance receives it', async ({
  servers,
}) => {
  const app = vi.fn()
  const upstream = servers.upstreamOf([await servers.serve(app)])
  const proxy = await servers.proxyOf(upstream, { deadlineMs: 50 })
  const socket = connect(Number(new URL(proxy).port), '127.0.0.1')
  let read = ''
  socket.on('data', (chunk) => (read += chunk.toString()))
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234')
  await until(() => read.includes('body_too_slow'))
  expect(read).toMatch(/^HTTP\/1.1 408 /)
  expect(app).not.toHaveBeenCalled()
  socket.destroy()
})

test('a request whose streamed body is complete, and which gets no response, is a 504 and a failure of the instance', async ({
  servers,
}) => {
  const events: UpstreamEvent[] = []
  const silent = await servers.serve((req) => void req.resume())
  const upstream = servers.upstreamOf([silent], { onEvent: (event) => events.push(event) })
  const proxy = await servers.proxyOf(upstream, { deadlineMs: 300, bufferBytes: 0 })
  const answer = await ask(proxy, { method: 'POST', body: 'x'.repeat(1_000) })
  expect(answer).toMatchObject({ status: 504 })
  expect(events).toMatchObject([
    { event: 'failed', origin: silent, detail: expect.stringContaining('deadline_exceeded') },
  ])
})

test('a received deadline above the longest timer is the longest timer', () => {
  expect(readDeadline('9999999999')).toBe(2 ** 31 - 1)
})

test('each of 1000 deadlines of 1 to 51 ms ends once, and none before its time', async () => {
  const deadlines = new RequestDeadlines()
  const earlyMs: number[] = []
  for (let i = 0; i < 1_000; i += 1) {
    const ms = 1 + (i % 500) / 10
    const startedAtMs = performance.now()
    deadlines.start(ms, () => earlyMs.push(startedAtMs + ms - performance.now()))
  }
  await until(() => earlyMs.length >= 1_000)
  expect(earlyMs).toHaveLength(1_000)
  expect(Math.max(...earlyMs)).toBeLessThanOrEqual(1)
})
