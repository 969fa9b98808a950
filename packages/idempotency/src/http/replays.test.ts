import { expect, test } from '@repo/testing'
import { Hono } from 'hono'
import { createTestApp, describe } from './app.fixture.ts'

const streamOf = (chunks: string[]) =>
  new Response(ReadableStream.from(chunks.map((chunk) => Buffer.from(chunk))))

const BYTES = Uint8Array.from({ length: 512 }, (_, i) => (i < 256 ? i : 511 - i))

test('a binary response is sent and replayed byte by byte', async () => {
  await using shop = createTestApp((c) =>
    c.body(BYTES.slice().buffer, 200, { 'content-type': 'image/png' }),
  )
  for (const status of ['200 fresh', '200 replayed', '200 replayed']) {
    const response = await shop.send()
    expect(describe(response)).toBe(status)
    expect(response.headers.get('content-type')).toBe('image/png')
    expect(await response.bytes()).toEqual(BYTES)
  }
  expect(shop.runs()).toBe(1)
})

test.each([204, 205, 304])(
  'a response with status %i is replayed without a body',
  async (status) => {
    await using shop = createTestApp(() => new Response(null, { status, headers: { etag: '"1"' } }))
    for (const outcome of ['fresh', 'replayed']) {
      const response = await shop.send()
      expect(describe(response)).toBe(`${status} ${outcome}`)
      expect(response.body).toBeNull()
      expect(response.headers.get('etag')).toBe('"1"')
    }
    expect(shop.runs()).toBe(1)
  },
)

test('a replay has Location, ETag and Content-Type, and no cookie, date or field of the connection', async () => {
  await using shop = createTestApp((c) => {
    c.header('Location', '/orders/1')
    c.header('ETag', '"1"')
    c.header('Link', '</a>; rel="a"', { append: true })
    c.header('Set-Cookie', 'a=1', { append: true })
    c.header('Set-Cookie', 'b=2', { append: true })
    c.header('Date', 'Mon, 30 Nov 2026 00:00:00 GMT')
    c.header('Connection', 'close, X-Hop')
    c.header('X-Hop', 'one')
    c.header('Keep-Alive', 'timeout=5')
    c.header('RateLimit', '"p";r=1')
    return c.json({ id: 1 }, 201)
  })
  const first = await shop.send()
  expect(first.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  expect(first.headers.get('idempotency-replayed')).toBeNull()
  const replay = await shop.send()
  expect(Object.fromEntries(replay.headers)).toEqual({
    'content-type': 'application/json',
    etag: '"1"',
    'idempotency-replayed': 'true',
    'idempotency-status': 'replayed',
    link: '</a>; rel="a"',
    location: '/orders/1',
  })
  expect(await replay.text()).toBe(await first.text())
})

test.each([200, 201, 303, 400, 404, 410, 422])(
  'a response with status %i is stored and replayed',
  async (status) => {
    await using shop = createTestApp(() => new Response('answer', { status }))
    expect(describe(await shop.send())).toBe(`${status} fresh`)
    expect(describe(await shop.send())).toBe(`${status} replayed`)
    expect(shop.runs()).toBe(1)
  },
)

test.each([401, 403, 408, 409, 423, 425, 429, 500, 502, 503])(
  'a response with status %i releases the key, and the next attempt runs',
  async (status) => {
    const statuses = [status, 201]
    await using shop = createTestApp(
      () => new Response('answer', { status: statuses.shift() ?? 500 }),
    )
    expect(describe(await shop.send())).toBe(`${status} fresh`)
    expect(describe(await shop.send())).toBe('201 fresh')
    expect(describe(await shop.send())).toBe('201 replayed')
    expect(shop.once.stats()).toMatchObject({ released: 1, inFlight: 0 })
  },
)

test('a handler that throws releases the key, and after its point of no return the 500 is replayed', async () => {
  let isFinal = false
  await using shop = createTestApp((c) => {
    if (isFinal) c.var.attempt.pointOfNoReturn()
    throw new Error('after the charge')
  })
  shop.app.onError((error, c) => c.json({ error: error.message }, 500))
  expect(describe(await shop.send())).toBe('500 fresh')
  isFinal = true
  const second = await shop.send()
  const third = await shop.send()
  expect([describe(second), describe(third)]).toEqual(['500 fresh', '500 replayed'])
  expect(await third.json()).toEqual({ error: 'after the charge' })
  expect(shop.runs()).toBe(2)
})

test('a response over the limit is sent in full, and its replay states that the body is not stored', async () => {
  const large = Buffer.alloc(8_388_608, BYTES)
  await using shop = createTestApp((c) => c.body(large, 201, { location: '/orders/1' }))
  const first = await shop.send()
  expect(first.headers.get('idempotency-replay-unavailable')).toBeNull()
  expect(Buffer.from(await first.bytes()).equals(large)).toBe(true)
  const replay = await shop.send()
  expect(describe(replay)).toBe('201 replayed')
  expect(replay.headers.get('idempotency-replay-unavailable')).toBe('size-exceeded')
  expect(replay.headers.get('location')).toBe('/orders/1')
  expect(await replay.text()).toBe('')
  expect(shop.runs()).toBe(1)
  expect(shop.once.stats().oversize).toBe(1)
})

test('a response of exactly the limit is replayed in full', async () => {
  await using shop = createTestApp((c) => c.text('12345678'), { maxResponseBytes: 8 })
  await shop.send()
  expect(await (await shop.send()).text()).toBe('12345678')
})

test('a streaming response is stored when it ends, and over the limit it continues as a stream', async () => {
  await using shop = createTestApp(
    (c) => streamOf(c.req.path === '/short' ? ['ab', 'cd'] : ['1234', '5678', '9']),
    { maxResponseBytes: 6 },
  )
  expect(await (await shop.send({ path: '/short', key: 'short' })).text()).toBe('abcd')
  const short = await shop.send({ path: '/short', key: 'short' })
  expect([describe(short), await short.text()]).toEqual(['200 replayed', 'abcd'])
  expect(await (await shop.send({ path: '/long', key: 'long' })).text()).toBe('123456789')
  const long = await shop.send({ path: '/long', key: 'long' })
  expect(long.headers.get('idempotency-replay-unavailable')).toBe('size-exceeded')
  expect(shop.runs()).toBe(2)
})

test('a response over the limit is not held back until its stream ends', async () => {
  const received = Promise.withResolvers<undefined>()
  async function* stream() {
    yield Buffer.from('12345')
    await received.promise
    yield Buffer.from('6789')
  }
  await using shop = createTestApp(() => new Response(ReadableStream.from(stream())), {
    maxResponseBytes: 4,
  })
  const response = await shop.send()
  received.resolve(undefined)
  expect(await response.text()).toBe('123456789')
})

test('a response whose stream fails releases the key', async () => {
  let isFailing = true
  await using shop = createTestApp(() =>
    isFailing
      ? new Response(
          new ReadableStream({ pull: (controller) => controller.error(new Error('cut off')) }),
        )
      : new Response('whole'),
  )
  shop.app.onError((_, c) => c.text('failed', 500))
  expect((await shop.send()).status).toBe(500)
  isFailing = false
  expect(describe(await shop.send())).toBe('200 fresh')
})

test('headers of a middleware before it are in the first response and in the replay', async () => {
  await using shop = createTestApp((c) => c.text('ok'))
  const outer = new Hono()
  outer.use(async (c, next) => {
    c.header('X-Before', '1')
    await next()
    c.header('X-After', '2')
  })
  outer.route('/', shop.app)
  for (const status of ['200 fresh', '200 replayed']) {
    const headers = { 'idempotency-key': 'k', 'x-user': 'ada' }
    const response = await outer.request('/orders', { method: 'POST', headers })
    expect(describe(response)).toBe(status)
    expect([response.headers.get('x-before'), response.headers.get('x-after')]).toEqual(['1', '2'])
  }
})
