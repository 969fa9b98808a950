import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, vi } from 'vitest'
import { ask, deadOrigin, test, until } from '../servers.fixture.ts'
import { BodyGuard } from './body-guard.ts'

afterEach(() => void vi.useRealTimers())

const open = (origin: string, bytes: string): Socket => {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(bytes)
  return socket
}

const reading = (socket: Socket) => {
  const reader = { text: '' }
  socket.on('data', (chunk) => (reader.text += chunk.toString('latin1')))
  return reader
}

const post = (fields: string) => `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`

const echo = (req: IncomingMessage, res: NodeJS.WritableStream) => void req.pipe(res)

test.for([
  ['Content-Length', post('Content-Length: 10\r\n'), '01234', '56789'],
  ['chunks', post('Transfer-Encoding: chunked\r\n'), '5\r\n01234\r\n', '5\r\n56789\r\n0\r\n\r\n'],
] as const)(
  'an instance gets no connection before a small body with %s is complete',
  async ([, head, first, rest], { servers }) => {
    const connected = vi.fn()
    const server = createServer(echo).on('connection', connected)
    const upstream = servers.upstreamOf([await servers.serveTcp(server)])
    const decided = vi.fn()
    const handler = servers.handlerOf(upstream)
    const proxy = await servers.serve((req, res) => {
      req.once('data', decided)
      handler(req, res)
    })
    const socket = open(proxy, head + first)
    const reader = reading(socket)
    await until(() => decided.mock.calls.length === 1)
    expect(await ask(proxy)).toMatchObject({ status: 200 })
    expect(upstream.targets()[0]?.inFlight).toBe(0)
    expect(connected).toHaveBeenCalledTimes(1)
    socket.write(rest)
    await until(() => reader.text.includes('0123456789'))
    socket.destroy()
  },
)

test('a chunked body of unknown length streams when it passes the limit of the buffer', async ({
  servers,
}) => {
  const received: Buffer[] = []
  const app = await servers.serve((req, res) => {
    req.on('data', (chunk: Buffer) => received.push(chunk)).on('end', () => res.end('done'))
  })
  const proxy = await servers.proxyOf([app], { bufferBytes: 10 })
  const socket = open(proxy, `${post('Transfer-Encoding: chunked\r\n')}6\r\n012345\r\n`)
  const reader = reading(socket)
  expect((await ask(proxy)).body).toBe('done')
  expect(received).toEqual([])
  socket.write('6\r\n6789ab\r\n')
  await until(() => Buffer.concat(received).toString() === '0123456789ab')
  socket.write('2\r\ncd\r\n0\r\n\r\n')
  await until(() => reader.text.includes('done'))
  expect(Buffer.concat(received).toString()).toBe('0123456789abcd')
  socket.destroy()
})

test('a buffered PUT is repeated with its body, a POST only if its key makes it idempotent', async ({
  servers,
}) => {
  const body = 'x'.repeat(60_000)
  for (const { method, key, status } of [
    { method: 'PUT', key: false, status: 200 },
    { method: 'POST', key: false, status: 502 },
    { method: 'POST', key: true, status: 200 },
  ]) {
    const live = await servers.serve(echo)
    // It reads the whole request before it closes the connection.
    const broken = await servers.serve((req) => req.resume().on('end', () => req.socket.destroy()))
    const proxy = await servers.proxyOf([live, broken], {
      mayRepeat: (req) => req.headers['idempotency-key'] !== undefined,
    })
    const headers = key ? { 'Idempotency-Key': '1' } : {}
    const answer = await ask(proxy, { method, body, headers })
    expect(answer.status).toBe(status)
    if (status === 200) expect(answer.body).toBe(body)
  }
})

test.for([0, 4, 1_000, 65_536])(
  'a body that streams above %i bytes arrives whole, also when the first instance is dead',
  async (bufferBytes, { servers }) => {
    const live = await servers.serve(echo)
    const upstream = servers.upstreamOf([await deadOrigin(), live])
    const proxy = await servers.proxyOf(upstream, { bufferBytes })
    const body = randomBytes(100_000).toString('hex')
    for (let i = 0; i < 4; i += 1) {
      const answer = await ask(proxy, { method: 'POST', body })
      expect(answer.status).toBe(200)
      expect(answer.body === body).toBe(true)
    }
    expect(upstream.targets()[0]?.state).toBe('ejected')
  },
)

test('the hook for request headers receives a buffered body and no streamed one', async ({
  servers,
}) => {
  const bodies: (Buffer | undefined)[] = []
  const proxy = await servers.proxyOf([await servers.serve(echo)], {
    bufferBytes: 10,
    requestHeaders: (_headers, _req, _context, body) => void bodies.push(body),
  })
  for (const body of ['0123456789', '0123456789a', '']) await ask(proxy, { method: 'POST', body })
  await ask(proxy, { method: 'POST', body: 'ab', headers: { 'transfer-encoding': 'chunked' } })
  expect(bodies.map((body) => body?.toString())).toEqual(['0123456789', undefined, undefined, 'ab'])
})

test('a hook that throws after the body was read is a 500', async ({ servers }) => {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const proxy = await servers.proxyOf([await servers.serve(echo)], {
    requestHeaders: () => {
      throw new Error('thrown by a hook')
    },
  })
  expect((await ask(proxy, { method: 'POST', body: 'x' })).status).toBe(500)
})

test('250 bodies that one client sends at 1 byte a second use no instance, and 234 are a 429', async ({
  servers,
}) => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const served = vi.fn((_req: unknown, res: { end(): unknown }) => void res.end())
  const upstream = servers.upstreamOf([await servers.serve(served)])
  const begun = vi.fn()
  const handler = servers.handlerOf(upstream)
  const proxy = await servers.serve((req, res) => {
    req.once('data', begun)
    handler(req, res)
  })
  const attackers = Array.from({ length: 250 }, () =>
    open(proxy, `${post('Content-Length: 1000\r\n')}x`),
  )
  const readers = attackers.map(reading)
  const count = (status: string) => readers.filter(({ text }) => text.includes(status)).length
  await until(() => begun.mock.calls.length === 250)
  for (let second = 1; second <= 6; second += 1) {
    vi.advanceTimersByTime(1_000)
    expect((await ask(proxy)).status).toBe(200)
    if (second === 2) await until(() => count('HTTP/1.1 429') === 234)
  }
  await until(() => count('HTTP/1.1 408') === 16)
  expect(served).toHaveBeenCalledTimes(6)
  expect(readers.every(({ text }) => text.includes('application/problem+json'))).toBe(true)
  for (const socket of attackers) socket.destroy()
})

test('a streamed body that becomes too slow is a 408, and no failure of the instance', async ({
  servers,
}) => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const broken = vi.fn()
  const arrived = vi.fn()
  const app = await servers.serve((req) => void req.on('error', broken).on('data', arrived))
  const upstream = servers.upstreamOf([app])
  const proxy = await servers.proxyOf(upstream, { bufferBytes: 4 })
  const socket = open(proxy, `${post('Content-Length: 1000000\r\n')}012345`)
  const reader = reading(socket)
  await until(() => arrived.mock.calls.length === 1)
  for (let second = 0; second < 6; second += 1) vi.advanceTimersByTime(1_000)
  await until(() => reader.text.includes('body_too_slow'))
  expect(reader.text).toMatch(/^HTTP\/1.1 408 /)
  await until(() => broken.mock.calls.length === 1)
  await until(() => upstream.targets()[0]?.inFlight === 0)
  expect(upstream.targets()[0]?.state).toBe('healthy')
  socket.destroy()
})

test('a client cannot stream more bodies than its number, and each refusal is a 429', async ({
  servers,
}) => {
  const arrived = vi.fn()
  const app = await servers.serve((req, res) => {
    arrived()
    req.resume().on('end', () => res.end())
  })
  const proxy = await servers.proxyOf([app], {
    bufferBytes: 4,
    bodyGuard: new BodyGuard({ streamedBodiesPerClient: 2 }),
    clientOf: (req) => String(req.headers['x-client']),
  })
  const first = [0, 1].map(() =>
    open(proxy, `${post('X-Client: a\r\nContent-Length: 20\r\n')}01234`),
  )
  await until(() => arrived.mock.calls.length === 2)
  const large = { method: 'POST', body: '0123456789' }
  expect(await ask(proxy, { ...large, headers: { 'x-client': 'a' } })).toMatchObject({
    status: 429,
    headers: { 'retry-after': '1', 'content-type': 'application/problem+json' },
  })
  expect((await ask(proxy, { ...large, headers: { 'x-client': 'b' } })).status).toBe(200)
  const closed = first.map((socket) => once(socket.destroy(), 'close'))
  await Promise.all(closed)
  await vi.waitUntil(
    async () => (await ask(proxy, { ...large, headers: { 'x-client': 'a' } })).status === 200,
  )
})

test('the memory of all buffered bodies has a limit, which a client that disconnects returns', async ({
  servers,
}) => {
  const begun = vi.fn()
  const upstream = servers.upstreamOf([await servers.serve(echo)])
  const handler = servers.handlerOf(upstream, {
    bodyGuard: new BodyGuard({ maxBufferedBytes: 2_000 }),
  })
  const proxy = await servers.serve((req, res) => {
    req.once('data', begun)
    handler(req, res)
  })
  const half = open(proxy, post('Content-Length: 1900\r\n') + 'x'.repeat(1_800))
  await until(() => begun.mock.calls.length === 1)
  const body = 'y'.repeat(300)
  const refused = await ask(proxy, { method: 'POST', body })
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
  expect(JSON.parse(refused.body)).toMatchObject({ code: 'overloaded' })
  half.destroy()
  await vi.waitUntil(async () => (await ask(proxy, { method: 'POST', body })).status === 200)
  for (let i = 0; i < 20; i += 1)
    expect((await ask(proxy, { method: 'POST', body })).body).toBe(body)
})

test('50 parallel bodies of 1 MB arrive unchanged', async ({ servers }) => {
  const megabyte = randomBytes(1 << 20)
  const digest = createHash('sha256').update(megabyte).digest('hex')
  const app = await servers.serve((req, res) => {
    const hash = createHash('sha256')
    req
      .on('data', (chunk: Buffer) => hash.update(chunk))
      .on('end', () => res.end(hash.digest('hex')))
  })
  const proxy = await servers.proxyOf([app])
  const answers = await Promise.all(
    Array.from(
      { length: 50 },
      () =>
        new Promise<string>((resolve, reject) => {
          const req = request(proxy, { method: 'POST', agent: false }, (res) => {
            void res.toArray().then((chunks) => resolve(Buffer.concat(chunks).toString()), reject)
          })
          req.on('error', reject).end(megabyte)
        }),
    ),
  )
  expect(new Set(answers)).toEqual(new Set([digest]))
})

test('two proxies share the limits of one guard, and behind a proxy the forwarded address counts', async ({
  servers,
}) => {
  const arrived = vi.fn()
  const app = await servers.serve((req, res) => {
    arrived()
    req.resume().on('end', () => res.end())
  })
  const bodyGuard = new BodyGuard({ streamedBodiesPerClient: 1 })
  const options = { bufferBytes: 4, bodyGuard, forwarded: 'append' } as const
  const [one, two] = [await servers.proxyOf([app], options), await servers.proxyOf([app], options)]
  const held = open(
    one,
    `${post('X-Forwarded-For: 6.6.6.6, 1.1.1.1\r\nContent-Length: 20\r\n')}01234`,
  )
  await until(() => arrived.mock.calls.length === 1)
  const large = (address: string) =>
    ask(two, { method: 'POST', body: '0123456789', headers: { 'x-forwarded-for': address } })
  expect((await large('7.7.7.7, 1.1.1.1')).status).toBe(429)
  expect((await large('1.1.1.1, 2.2.2.2')).status).toBe(200)
  held.destroy()
})
