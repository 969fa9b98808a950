import { get, type IncomingMessage, type ServerResponse } from 'node:http'
import { expect, vi } from 'vitest'
import { ask, test, until } from '../servers.fixture.ts'
import { Slots } from './slots.ts'
import { Waiting } from './waiting.ts'

/** An instance that holds its responses until the test ends them. */
function holding() {
  const held: ServerResponse[] = []
  const listener = (req: IncomingMessage, res: ServerResponse) => {
    if (req.url === '/fast') res.end('fast')
    else held.push(res)
  }
  return { held, listener }
}

const events = (origin: string, headers = {}) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    get(origin, { agent: false, headers }, resolve).on('error', reject)
  })

test('a request that gets no connection in time is a 503 with Retry-After, and no failure of the instance', async ({
  servers,
}) => {
  const { held, listener } = holding()
  const failures = vi.fn()
  const upstream = servers.upstreamOf([await servers.serve(listener)], {
    connections: 2,
    queueMs: 50,
    onEvent: failures,
  })
  const proxy = await servers.proxyOf(upstream)
  const first = [ask(proxy), ask(proxy)]
  await until(() => held.length === 2)
  const refused = await Promise.all([ask(proxy, { path: '/fast' }), ask(proxy, { path: '/fast' })])
  for (const { status, headers, body } of refused) {
    expect(status).toBe(503)
    expect(headers).toMatchObject({
      'content-type': 'application/problem+json',
      'retry-after': '1',
    })
    expect(JSON.parse(body)).toMatchObject({ code: 'overloaded' })
  }
  for (const res of held) res.end('held')
  expect((await Promise.all(first)).map(({ body }) => body)).toEqual(['held', 'held'])
  expect((await ask(proxy, { path: '/fast' })).status).toBe(200)
  expect(failures).not.toHaveBeenCalled()
})

test('waiting requests start in their order as connections become free', async ({ servers }) => {
  const started: string[] = []
  const app = await servers.serve((req, res) => {
    started.push(req.url ?? '')
    setImmediate(() => res.end())
  })
  const upstream = servers.upstreamOf([app], { connections: 1, queueMs: 10_000 })
  const arrivals: string[] = []
  const handler = servers.handlerOf(upstream)
  const proxy = await servers.serve((req, res) => {
    arrivals.push(req.url ?? '')
    handler(req, res)
  })
  const paths = Array.from({ length: 30 }, (_, i) => `/${i}`)
  const answers = await Promise.all(paths.map((path) => ask(proxy, { path })))
  expect(answers.map(({ status }) => status)).toEqual(paths.map(() => 200))
  expect(started).toEqual(arrivals)
})

test('a client that disconnects leaves the queue, and its request is never sent', async ({
  servers,
}) => {
  const { held, listener } = holding()
  const upstream = servers.upstreamOf([await servers.serve(listener)], {
    connections: 1,
    queueMs: 10_000,
  })
  const closed = vi.fn()
  const arrived = vi.fn()
  const handler = servers.handlerOf(upstream)
  const proxy = await servers.serve((req, res) => {
    arrived()
    res.on('close', closed)
    handler(req, res)
  })
  const first = ask(proxy)
  await until(() => held.length === 1)
  const leaving = new AbortController()
  const waiting = fetch(proxy, { signal: leaving.signal }).catch(() => 'left')
  await until(() => arrived.mock.calls.length === 2)
  leaving.abort()
  expect(await waiting).toBe('left')
  await until(() => closed.mock.calls.length === 1)
  held[0]?.end()
  await first
  expect((await ask(proxy, { path: '/fast' })).body).toBe('fast')
  expect(held).toHaveLength(1)
})

test('a request uses an instance with a free connection, and no ejected one, instead of waiting', async ({
  servers,
}) => {
  const [one, two] = [holding(), holding()]
  let isBroken = true
  const ejected = await servers.serve((req, res) => {
    if (isBroken) req.socket.destroy()
    else res.end('ejected')
  })
  const origins = [await servers.serve(one.listener), await servers.serve(two.listener), ejected]
  const upstream = servers.upstreamOf(origins, {
    connections: 1,
    queueMs: 50,
    ejection: { failures: 1, durationMs: 3_600_000 },
  })
  const proxy = await servers.proxyOf(upstream)
  while (upstream.targets()[2]?.state !== 'ejected') await ask(proxy, { path: '/fast' })
  isBroken = false
  const both = [ask(proxy), ask(proxy)]
  await until(() => one.held.length + two.held.length === 2)
  expect((await ask(proxy, { path: '/fast' })).status).toBe(503)
  one.held[0]?.end()
  two.held[0]?.end()
  await Promise.all(both)
})

for (const { title, headers } of [
  { title: 'that the client accepts', headers: { accept: 'text/event-stream' } },
  { title: 'that the instance sends unasked', headers: {} },
]) {
  test(`100 event streams ${title} leave the only connection to other requests, and stream 101 is a 503`, async ({
    servers,
  }) => {
    const app = await servers.serve((req, res) => {
      if (req.url === '/fast') return void res.end('fast')
      res.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' }).flushHeaders()
    })
    const upstream = servers.upstreamOf([app], { connections: 1, streams: 100, queueMs: 10_000 })
    const proxy = await servers.proxyOf(upstream)
    const streams: IncomingMessage[] = []
    for (let i = 0; i < 100; i += 1) streams.push(await events(proxy, headers))
    expect(streams.map(({ statusCode }) => statusCode)).toEqual(streams.map(() => 200))
    expect(await ask(proxy, { path: '/fast' })).toMatchObject({ status: 200, body: 'fast' })

    const refused = await ask(proxy, { headers })
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'overloaded' })
    expect(upstream.targets()[0]?.state).toBe('healthy')

    streams.pop()?.destroy()
    await until(() => upstream.targets()[0]?.inFlight === 99)
    const next = await events(proxy, headers)
    expect(next.statusCode).toBe(200)
    for (const stream of [...streams, next]) stream.destroy()
    await until(() => upstream.targets()[0]?.inFlight === 0)
  })
}

/** Holds ten streams, and counts the requests that get a slot. */
function startBesideStreams(slots: Slots): number {
  for (let i = 0; i < 10; i += 1) slots.take('stream')
  return Array.from({ length: 10 }, () => slots.take('request')).filter(Boolean).length
}

test('streams take no slot of a request', () => {
  const slots = new Slots(new Waiting(1_000), { requests: 4, streams: 2 })
  expect(startBesideStreams(slots)).toBe(4)
})

test('a mutant with one number for both kinds has no slot for a request beside streams', () => {
  class Mutant extends Slots {
    override take(): boolean {
      return super.take('request')
    }
  }
  const slots = new Mutant(new Waiting(1_000), { requests: 4, streams: 2 })
  expect(startBesideStreams(slots)).toBe(0)
})
