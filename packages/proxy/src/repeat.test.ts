import { request } from 'node:http'
import { afterEach, expect, vi } from 'vitest'
import { ask, test, until } from './servers.fixture.ts'

afterEach(() => void vi.useRealTimers())

const methods = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'] as const

test('a 503 of one instance is repeated once elsewhere if the method is idempotent, and a POST is not', async ({
  servers,
}) => {
  // A 503 that a busy machine delays is not repeated.
  vi.useFakeTimers({ toFake: ['performance'] })
  let refused = 0
  const busy = await servers.serve((req, res) => {
    refused += 1
    req.resume()
    res.writeHead(503, { 'Retry-After': '7' }).end('busy')
  })
  const live = await servers.serve((_req, res) => res.end('live'))
  const proxy = await servers.proxyOf(servers.upstreamOf([live, busy]))
  for (const method of methods) {
    expect((await ask(proxy, { method })).status).toBe(200)
    expect((await ask(proxy, { method })).status).toBe(200)
  }
  expect(refused).toBeGreaterThan(0)
  const posts = await Promise.all(Array.from({ length: 10 }, () => ask(proxy, { method: 'POST' })))
  const answer = posts.find(({ status }) => status === 503)
  expect(answer).toMatchObject({ body: 'busy', headers: { 'retry-after': '7' } })
})

test('when all instances respond with 503, the client gets the response of the second one', async ({
  servers,
}) => {
  vi.useFakeTimers({ toFake: ['performance'] })
  let requests = 0
  const serve = () =>
    servers.serve((_req, res) => {
      requests += 1
      res.writeHead(503).end(`busy ${requests}`)
    })
  const proxy = await servers.proxyOf([await serve(), await serve(), await serve()])
  expect(await ask(proxy)).toMatchObject({ status: 503, body: 'busy 2' })
})

test('a 503 that an instance sends after a wait for a store reaches the client, and is not repeated', async ({
  servers,
}) => {
  vi.useFakeTimers({ toFake: ['performance'] })
  for (const { waitMs, count } of [
    { waitMs: 249, count: 2 },
    { waitMs: 251, count: 1 },
  ]) {
    let requests = 0
    const serve = () =>
      servers.serve((_req, res) => {
        requests += 1
        vi.advanceTimersByTime(waitMs)
        res.writeHead(503, { 'Retry-After': '1' }).end('no store')
      })
    const proxy = await servers.proxyOf([await serve(), await serve(), await serve()])
    expect(await ask(proxy)).toMatchObject({ status: 503, body: 'no store' })
    expect(requests).toBe(count)
  }
})

test('an event stream that an instance refuses with an endless 503 goes to another one, and holds no slot', async ({
  servers,
}) => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const counts = { refused: 0, closed: 0 }
  let isRefusing = true
  const refusing = await servers.serve((_req, res) => {
    if (!isRefusing) return void res.writeHead(200).end('ready')
    counts.refused += 1
    res.on('close', () => (counts.closed += 1))
    res.writeHead(503).write('begun')
  })
  const live = await servers.serve((_req, res) => res.end('live'))
  const upstream = servers.upstreamOf([refusing, live], { streams: 1 })
  const proxy = await servers.proxyOf(upstream)
  const stream = () => ask(proxy, { headers: { accept: 'text/event-stream' } })
  while (counts.refused === 0) expect(await stream()).toMatchObject({ status: 200, body: 'live' })
  await until(() => counts.closed === 1)
  await until(() => upstream.targets().every(({ inFlight }) => inFlight === 0))
  isRefusing = false
  // Its error counts for a time.
  vi.useRealTimers()
  await vi.waitUntil(async () => (await stream()).body === 'ready', { timeout: 10_000 })
})

test('a GET whose head is late is repeated once elsewhere, and a POST is not', async ({
  servers,
}) => {
  let late = 0
  const silent = await servers.serve(() => (late += 1))
  const live = await servers.serve((_req, res) => res.end('live'))
  const upstream = servers.upstreamOf([live, silent], { headersTimeoutMs: 200 })
  const proxy = await servers.proxyOf(upstream)
  // The second target has its turn.
  expect(await ask(proxy)).toMatchObject({ status: 200, body: 'live' })
  expect(late).toBe(1)

  const other = servers.upstreamOf([live, silent], { headersTimeoutMs: 200 })
  expect((await ask(await servers.proxyOf(other), { method: 'POST' })).status).toBe(504)
  expect(late).toBe(2)
})

test('a failing cluster receives at most a tenth of the requests again, apart from the saved retries', async ({
  servers,
}) => {
  let requests = 0
  const serve = () =>
    servers.serve((req) => {
      requests += 1
      req.socket.destroy()
    })
  const upstream = servers.upstreamOf([await serve(), await serve()])
  // The budget has 200 saved retries, and ten for each second.
  while (upstream.allowRetry());
  const beganMs = performance.now()
  const proxy = await servers.proxyOf(upstream)
  for (let i = 0; i < 300; i += 1) await ask(proxy)
  const perSecond = ((performance.now() - beganMs) / 1_000) * 10
  expect(requests - 300).toBeGreaterThanOrEqual(29)
  expect(requests - 300).toBeLessThanOrEqual(31 + perSecond)
})

test('a client that disconnects and a hook that throws are no fault of the instance', async ({
  servers,
}) => {
  const held: (() => void)[] = []
  const origin = await servers.serve((req, res) => {
    if (req.url === '/held') held.push(() => res.end())
    else res.end()
  })
  const upstream = servers.upstreamOf([origin], { ejection: { failures: 1 } })
  const proxy = await servers.proxyOf(upstream, {
    requestHeaders(_headers, req) {
      if (req.url === '/throws') throw new Error('a defect')
    },
  })
  const client = request(`${proxy}/held`)
  client.on('error', () => {})
  client.end()
  await until(() => held.length === 1)
  client.destroy()
  await until(() => upstream.targets()[0]?.inFlight === 0)
  expect((await ask(proxy, { path: '/throws' })).status).toBe(500)
  expect(upstream.targets()).toMatchObject([{ origin, state: 'healthy', inFlight: 0 }])
})

test('a mayRepeat hook that throws is a 500, and no failure of the instance whose 503 it judges', async ({
  servers,
}) => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const failed = vi.fn()
  const busy = await servers.serve(
    (req, res) => void req.resume().on('end', () => res.writeHead(503).end()),
  )
  const upstream = servers.upstreamOf([busy], { onEvent: failed, ejection: { failures: 1 } })
  const proxy = await servers.proxyOf(upstream, {
    mayRepeat() {
      throw new Error('a defect')
    },
  })
  const answer = await ask(proxy, { method: 'POST', body: 'x' })
  expect(answer.status).toBe(500)
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'internal' })
  await until(() => upstream.targets()[0]?.inFlight === 0)
  expect(failed).not.toHaveBeenCalled()
})

test('with hedging, a GET that is slower than usual is answered by a second instance, and a POST waits', async ({
  servers,
}) => {
  let isSlow = false
  const served: string[] = []
  const held: (() => void)[] = []
  const serve = (name: string) =>
    servers.serve((req, res) => {
      served.push(`${req.method} ${name}`)
      req.resume()
      if (isSlow && name === 'one') held.push(() => res.end(name))
      else res.end(name)
    })
  const targets = [await serve('one'), await serve('two')]
  const upstream = servers.upstreamOf(targets, { hedging: { percentile: 0.5, minimumMs: 30 } })
  const proxy = await servers.proxyOf(upstream)
  expect(upstream.hedgeAfterMs()).toBeUndefined()
  for (let i = 0; i < 60; i += 1) await ask(proxy)
  expect(upstream.hedgeAfterMs()).toBeGreaterThanOrEqual(30)

  isSlow = true
  served.length = 0
  while (!served.includes('GET one')) expect((await ask(proxy)).body).toBe('two')
  await until(() => upstream.targets().every(({ inFlight }) => inFlight === 0))

  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const posts: ReturnType<typeof ask>[] = []
  while (!served.includes('POST one')) {
    const post = ask(proxy, { method: 'POST' })
    posts.push(post)
    await Promise.race([post, until(() => served.includes('POST one'))])
  }
  vi.advanceTimersByTime(5_000)
  // A second attempt would reach its instance before this request.
  expect((await ask(proxy)).body).toBe('two')
  for (const release of held) release()
  expect((await Promise.all(posts)).at(-1)?.body).toBe('one')
  expect(served.filter((each) => each.startsWith('POST'))).toHaveLength(posts.length)
})
