import { createServer } from 'node:http'
import { awakeMs } from '@repo/testing'
import { expect } from 'vitest'
import { ask, deadOrigin, test, until } from '../servers.fixture.ts'
import { createUpstream, type UpstreamEvent } from './upstream.ts'

function share(names: string[]): number[] {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts.values()].map((count) => count / names.length)
}

for (const mode of ['sequential', 'concurrent'] as const) {
  test(`each of three instances gets 20-47 % of 300 ${mode} requests`, async ({ servers }) => {
    const origins = await Promise.all(
      ['a', 'b', 'c'].map((name) => servers.serve((_req, res) => res.end(name))),
    )
    const proxy = await servers.proxyOf(origins)
    const names: string[] = []
    const request = async () => names.push((await ask(proxy)).body)
    if (mode === 'concurrent') await Promise.all(Array.from({ length: 300 }, request))
    else for (let i = 0; i < 300; i += 1) await request()

    expect(names).toHaveLength(300)
    const shares = share(names)
    expect(shares).toHaveLength(3)
    for (const each of shares) {
      expect(each).toBeGreaterThanOrEqual(0.2)
      expect(each).toBeLessThanOrEqual(0.47)
    }
  })
}

test('a dead instance fails no GET and no POST, and is ejected after three failures', async ({
  servers,
}) => {
  const live = await servers.serve((req, res) => void req.pipe(res))
  const dead = await deadOrigin()
  const events: UpstreamEvent[] = []
  const upstream = servers.upstreamOf([dead, live], { onEvent: (event) => events.push(event) })
  const proxy = await servers.proxyOf(upstream)

  for (let i = 0; i < 20; i += 1) {
    const answer = await ask(proxy, i % 2 ? { method: 'POST', body: 'paid' } : {})
    expect(answer).toMatchObject({ status: 200, body: i % 2 ? 'paid' : '' })
  }

  expect(events.filter(({ event }) => event === 'failed')).toHaveLength(3)
  expect(events.filter(({ event }) => event === 'ejected')).toHaveLength(1)
  expect(upstream.targets()).toMatchObject([
    { origin: dead, state: 'ejected', inFlight: 0 },
    { origin: live, state: 'healthy', inFlight: 0 },
  ])
})

test('without a live instance a request is a 503 with Retry-After, within half a second', async ({
  servers,
}) => {
  const proxy = await servers.proxyOf([await deadOrigin(), await deadOrigin(), await deadOrigin()])
  const startedAtMs = awakeMs()
  const answer = await ask(proxy)
  expect(awakeMs() - startedAtMs).toBeLessThan(500)
  expect(answer.status).toBe(503)
  expect(answer.headers).toMatchObject({
    'content-type': 'application/problem+json',
    'retry-after': '1',
  })
  expect(JSON.parse(answer.body)).toMatchObject({
    title: 'Service Unavailable',
    status: 503,
    code: 'connect_failed',
    instance: '/',
  })
})

test('ejected instances are used when all are ejected, and the first that responds is healthy again', async ({
  servers,
}) => {
  let isBroken = true
  const origin = await servers.serve((req, res) => {
    if (isBroken) req.socket.destroy()
    else res.end('back')
  })
  const upstream = servers.upstreamOf([origin], { ejection: { durationMs: 3_600_000 } })
  const proxy = await servers.proxyOf(upstream)
  for (let i = 0; i < 3; i += 1) expect((await ask(proxy)).status).toBe(502)
  expect(upstream.targets()[0]?.state).toBe('ejected')

  isBroken = false
  expect(await ask(proxy)).toMatchObject({ status: 200, body: 'back' })
  expect(upstream.targets()[0]?.state).toBe('healthy')
})

const healthCheck = { path: '/readyz', intervalMs: 5, timeoutMs: 500 }

test('a draining instance gets no requests, and gets them again when it is ready', async ({
  servers,
}) => {
  let isDraining = false
  const draining = await servers.serve((req, res) => {
    res.statusCode = isDraining && req.url === '/readyz' ? 503 : 200
    res.end('draining')
  })
  const steady = await servers.serve((_req, res) => res.end('steady'))
  const upstream = servers.upstreamOf([draining, steady], { healthCheck })
  const proxy = await servers.proxyOf(upstream)
  const names = async () =>
    new Set((await Promise.all(Array.from({ length: 20 }, () => ask(proxy)))).map((a) => a.body))

  expect(await names()).toEqual(new Set(['draining', 'steady']))
  isDraining = true
  await until(() => upstream.targets()[0]?.state === 'down')
  expect(await names()).toEqual(new Set(['steady']))
  isDraining = false
  await until(() => upstream.targets()[0]?.state === 'healthy')
  expect(await names()).toEqual(new Set(['draining', 'steady']))
})

test('a successful health check ends an ejection early', async ({ servers }) => {
  let isBroken = true
  const origin = await servers.serve((req, res) => {
    if (isBroken) req.socket.destroy()
    else res.end()
  })
  const upstream = servers.upstreamOf([origin], {
    healthCheck,
    ejection: { failures: 1, durationMs: 3_600_000 },
  })
  const proxy = await servers.proxyOf(upstream)
  await ask(proxy)
  expect(upstream.targets()[0]?.state).not.toBe('healthy')
  isBroken = false
  await until(() => upstream.targets()[0]?.state === 'healthy')
})

test('a stopped instance is down after three missed checks, and healthy after it starts again', async ({
  servers,
}) => {
  const origin = await deadOrigin()
  const events: UpstreamEvent[] = []
  const upstream = servers.upstreamOf([origin], {
    healthCheck,
    onEvent: (event) => events.push(event),
  })
  await until(() => upstream.targets()[0]?.state === 'down')
  const server = createServer((_req, res) => res.end())
  await new Promise<void>((resolve) => {
    server.listen(Number(new URL(origin).port), '127.0.0.1', resolve)
  })
  await until(() => upstream.targets()[0]?.state === 'healthy')
  expect(events.map(({ event }) => event)).toEqual(['down', 'healthy'])
  server.close()
})

test.for(['connections', 'connectTimeoutMs', 'headersTimeoutMs', 'bodyTimeoutMs'] as const)(
  'an upstream whose %s is a fraction is refused by its name',
  (option) => {
    const options = { name: 'auth', targets: ['http://127.0.0.1:4101'], [option]: 10.5 }
    expect(() => createUpstream(options)).toThrow(`${option} must be a whole number from `)
  },
)

test('the targets of one upstream share the timers of their timeouts', ({ servers }) => {
  const upstream = servers.upstreamOf(['http://127.0.0.1:1', 'http://127.0.0.1:2'])
  const first = upstream.pick()
  const second = first && upstream.pick({}, [first])
  expect(second?.pool.endpoint.port).not.toBe(first?.pool.endpoint.port)
  expect(second?.pool.timeouts.head).toBeDefined()
  expect(second?.pool.timeouts.head).toBe(first?.pool.timeouts.head)
})
