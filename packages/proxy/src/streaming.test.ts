import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { get, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { expect, vi } from 'vitest'
import { ask, test, until } from './servers.fixture.ts'

const megabyte = randomBytes(1 << 20)
const total = 20 * megabyte.length
const expected = createHash('sha256')
for (let i = 0; i < 20; i += 1) expected.update(megabyte)
const digest = expected.digest('hex')

async function* twentyMegabytes(onSent: (bytes: number) => void = () => {}) {
  for (let i = 0; i < 20; i += 1) {
    yield megabyte
    onSent(megabyte.length)
  }
}

async function digestOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of stream) hash.update(chunk)
  return hash.digest('hex')
}

const answerTo = (url: string) =>
  new Promise<IncomingMessage>((resolve, reject) =>
    get(url, { agent: false }, resolve).on('error', reject),
  )

/** Waits until a counter does not change over many turns of the event loop. */
async function settled(count: () => number): Promise<number> {
  let before = -1
  let still = 0
  await vi.waitUntil(
    () => {
      still = count() === before ? still + 1 : 0
      before = count()
      return before > 0 && still > 10
    },
    { interval: 10 },
  )
  return before
}

test('a response of 20 MB arrives unchanged, and waits at the instance for a slow reader', async ({
  servers,
}) => {
  let sent = 0
  const app = await servers.serve(
    (_req, res) =>
      void pipeline(
        twentyMegabytes((n) => (sent += n)),
        res,
      ),
  )
  const res = await answerTo(await servers.proxyOf([app]))
  res.pause()
  // The bytes in flight are in the buffers of the kernel and of the streams.
  expect(await settled(() => sent)).toBeLessThan(total * 0.6)
  expect(await digestOf(res)).toBe(digest)
})

test('a request of 20 MB arrives unchanged, and waits at the client for a slow instance', async ({
  servers,
}) => {
  const arrived = Promise.withResolvers<[IncomingMessage, ServerResponse]>()
  const app = await servers.serve((req, res) => arrived.resolve([req, res]))
  const proxy = await servers.proxyOf([app])
  let sent = 0
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    const req = request(proxy, { method: 'POST', agent: false }, resolve).on('error', reject)
    pipeline(
      twentyMegabytes((n) => (sent += n)),
      req,
    ).catch(reject)
  })
  expect(await settled(() => sent)).toBeLessThan(total * 0.6)
  const [req, res] = await arrived.promise
  res.end(await digestOf(req))
  const chunks = await (await answer).toArray()
  expect(Buffer.concat(chunks).toString()).toBe(digest)
})

test('the first event of a stream arrives before the second is sent', async ({ servers }) => {
  const begun = Promise.withResolvers<ServerResponse>()
  const app = await servers.serve((_req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' })
    res.write('data: 1\n\n')
    begun.resolve(res)
  })
  const res = await answerTo(await servers.proxyOf([app]))
  const events = res[Symbol.asyncIterator]()
  expect(String((await events.next()).value)).toBe('data: 1\n\n')
  const source = await begun.promise
  source.end('data: 2\n\n')
  expect(String((await events.next()).value)).toBe('data: 2\n\n')
  expect((await events.next()).done).toBe(true)
})

test('the head of a stream arrives before its first byte is sent', async ({ servers }) => {
  const begun = Promise.withResolvers<ServerResponse>()
  const app = await servers.serve((_req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    begun.resolve(res)
  })
  const res = await answerTo(await servers.proxyOf([app]))
  expect(res.headers['content-type']).toBe('text/event-stream')
  const source = await begun.promise
  source.end('data: 1\n\n')
  expect(Buffer.concat(await res.toArray()).toString()).toBe('data: 1\n\n')
})

test('an event stream can be silent for longer than the body timeout, and another response cannot', async ({
  servers,
}) => {
  const begun = Promise.withResolvers<ServerResponse>()
  const app = await servers.serve((_req, res) => {
    res.write('begun')
    begun.resolve(res)
  })
  const proxy = await servers.proxyOf(servers.upstreamOf([app], { bodyTimeoutMs: 50 }))
  const quiet = new Promise<IncomingMessage>((resolve) => {
    get(proxy, { agent: false, headers: { accept: 'text/event-stream' } }, resolve)
  })
  const stream = await quiet
  // The body timeout of the other response expires while the stream is silent.
  await expect(ask(proxy)).rejects.toThrow(/aborted|hang up/)
  const source = await begun.promise
  source.end()
  expect(Buffer.concat(await stream.toArray()).toString()).toBe('begun')
})

test('the request of a client that disconnects is aborted', async ({ servers }) => {
  const closed = vi.fn()
  const arrived = vi.fn()
  const app = await servers.serve((_req, res) => {
    arrived()
    res.on('close', closed)
  })
  const upstream = servers.upstreamOf([app])
  const proxy = await servers.proxyOf(upstream)
  const socket = connect(Number(new URL(proxy).port), '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => arrived.mock.calls.length === 1)
  expect(upstream.targets()[0]?.inFlight).toBe(1)
  socket.destroy()
  await until(() => closed.mock.calls.length === 1)
  expect(upstream.targets()).toMatchObject([{ origin: app, state: 'healthy', inFlight: 0 }])
})

test('the request of a client that disconnects while it sends breaks off at the instance', async ({
  servers,
}) => {
  const broken = vi.fn()
  const completed = vi.fn()
  const arrived = vi.fn()
  const app = await servers.serve((req) => {
    req.on('data', arrived).on('error', broken).on('end', completed)
  })
  const proxy = await servers.proxyOf([app], { bufferBytes: 0 })
  const socket = connect(Number(new URL(proxy).port), '127.0.0.1')
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
  await until(() => arrived.mock.calls.length === 1)
  socket.destroy()
  await until(() => broken.mock.calls.length === 1)
  expect(completed).not.toHaveBeenCalled()
})

test('an instance that crashes while it receives 20 MB is a 502 that the client receives', async ({
  servers,
}) => {
  const app = await servers.serve((req) => {
    req.once('data', () => req.socket.destroy())
  })
  const proxy = await servers.proxyOf([app])
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const req = request(proxy, { method: 'POST', agent: false }, resolve).on('error', reject)
    pipeline(twentyMegabytes(), req).catch(reject)
  })
  expect(answer.statusCode).toBe(502)
  answer.resume()
})

for (const framing of ['chunked', 'content-length'] as const) {
  test(`a ${framing} response of an instance that crashes breaks off and is not short`, async ({
    servers,
  }) => {
    const begun = Promise.withResolvers<ServerResponse>()
    const app = await servers.serve((_req, res) => {
      if (framing === 'content-length') res.setHeader('Content-Length', 1_000)
      res.write('half')
      begun.resolve(res)
    })
    const res = await answerTo(await servers.proxyOf([app]))
    const broken = once(res, 'error')
    await once(res, 'data')
    const source = await begun.promise
    source.destroy()
    expect(await broken).toMatchObject([{ code: 'ECONNRESET' }])
    expect(res.complete).toBe(false)
  })
}

test('the connection remains usable after a response that precedes the end of the request', async ({
  servers,
}) => {
  const app = await servers.serve((_req, res) => res.writeHead(422).end('no'))
  const proxy = await servers.proxyOf([app], { bufferBytes: 0 })
  const socket = connect(Number(new URL(proxy).port), '127.0.0.1')
  let read = ''
  socket.on('data', (chunk) => (read += chunk.toString()))
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234')
  await until(() => read.includes('no'))
  socket.write('56789GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => read.split('HTTP/1.1 422').length === 3)
  socket.destroy()
})

test('an event stream has no body timeout, also if the client did not request one', async ({
  servers,
}) => {
  let stream: ServerResponse | undefined
  const app = await servers.serve((req, res) => {
    const type = req.url === '/events' ? 'text/event-stream' : 'text/plain'
    if (req.url === '/events') stream = res
    res.writeHead(200, { 'content-type': type }).write('data: 1\n\n')
  })
  const upstream = servers.upstreamOf([app], { bodyTimeoutMs: 30 })
  const proxy = await servers.proxyOf(upstream)
  const events = ask(proxy, { path: '/events', headers: { accept: '*/*' } })
  await until(() => stream !== undefined)
  // The timeout of a response that begins later ends later.
  await expect(ask(proxy, { path: '/silent' })).rejects.toThrow()
  stream?.end('data: 2\n\n')
  expect((await events).body).toBe('data: 1\n\ndata: 2\n\n')
})

test('responses that wait for slow clients are not changed by bytes that other connections read', async ({
  servers,
}) => {
  const bodies = Array.from({ length: 4 }, () => randomBytes(8 << 20))
  let sent = 0
  const app = await servers.serve((req, res) => {
    const body = bodies[Number(req.url?.slice(1))] ?? Buffer.alloc(0)
    async function* parts() {
      for (let at = 0; at < body.length; at += 10_000) {
        yield body.subarray(at, at + 10_000)
        sent += 1
      }
    }
    void pipeline(parts(), res)
  })
  const proxy = await servers.proxyOf([app])
  const responses = await Promise.all(bodies.map((_, at) => answerTo(`${proxy}/${at}`)))
  for (const res of responses) res.pause()
  await settled(() => sent)
  const digests = await Promise.all(responses.map((res) => digestOf(res)))
  const hashes = bodies.map((body) => createHash('sha256').update(body).digest('hex'))
  expect(digests).toEqual(hashes)
})
