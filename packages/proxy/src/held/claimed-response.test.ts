import { connect, createServer as createTcpServer } from 'node:net'
import { afterEach, expect, vi } from 'vitest'
import { ask, deadOrigin, test, until } from '../servers.fixture.ts'
import { claiming, post } from './hold.fixture.ts'

// A hang is a failure within 5 s.
vi.setConfig({ testTimeout: 5_000 })
afterEach(() => void vi.restoreAllMocks())

const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok'
const HEAD = 'HTTP/1.1 201 Created\r\nX-From: broken\r\nContent-Length: 9\r\n\r\n'

/** A server that reads a request, writes these bytes, and then closes the connection. */
function answering(bytes: string) {
  return createTcpServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(bytes, 'latin1'))
  })
}

test('an instance that breaks off a collected response releases the claim before its 502, and no byte of it is sent', async ({
  servers,
}) => {
  const broken = await servers.serveTcp(answering(`${HEAD}half`))
  const releasing = Promise.withResolvers<void>()
  const { options, events } = claiming({ release: () => releasing.promise })
  const proxy = await servers.proxyOf([broken], options)
  const other = await servers.proxyOf([await servers.serve((_req, res) => void res.end())])
  let isAnswered = false
  const answer = post(proxy).then((response) => {
    isAnswered = true
    return response
  })
  await until(() => events.includes('release'))
  // A request is a full turn of the proxy and of the client.
  await ask(other)
  expect(isAnswered).toBe(false)
  releasing.resolve()
  const { status, headers, body } = await answer
  expect(status).toBe(502)
  expect(headers).not.toHaveProperty('x-from')
  expect(body.toString()).not.toContain('half')
  expect(events).toEqual(['begin', 'release'])
})

test('a claimed POST that may repeat gets the whole response of another instance after a broken one', async ({
  servers,
}) => {
  const broken = await servers.serveTcp(answering(`${HEAD}half`))
  const live = await servers.serve((req, res) => void req.pipe(res.writeHead(201)))
  const other = await servers.proxyOf([await servers.serve((_req, res) => void res.end('other'))])
  // The connections to instances share the memory that they read to.
  const complete = async () => void (await ask(other))
  for (const mayRepeat of [true, false]) {
    const { options, events, completed } = claiming({ mayRepeat: () => mayRepeat, complete })
    const proxy = await servers.proxyOf([broken, live], options)
    const answers = [await post(proxy, 'body'), await post(proxy, 'body')]
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b)
    expect(statuses).toEqual(mayRepeat ? [201, 201] : [201, 502])
    for (const { status, body } of answers) if (status === 201) expect(body.toString()).toBe('body')
    expect(completed.map(({ body }) => body.toString())).toEqual(
      mayRepeat ? ['body', 'body'] : ['body'],
    )
    expect(events.filter((event) => event === 'release')).toHaveLength(mayRepeat ? 0 : 1)
  }
})

test.for([
  ['no head', ''],
  ['a status that no client can receive', 'HTTP/1.1 999 High\r\nContent-Length: 0\r\n\r\n'],
  ['status 100 alone', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx'],
  ['a malformed chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n'],
])('a malformed response releases the claim: %s', async ([, bytes = ''], { servers }) => {
  const { options, events } = claiming()
  const proxy = await servers.proxyOf([await servers.serveTcp(answering(bytes))], options)
  expect((await post(proxy)).status).toBe(502)
  expect(events).toEqual(['begin', 'release'])
})

test('a request that no instance accepts, or that is late, releases its claim once', async ({
  servers,
}) => {
  const refused = claiming()
  const none = await servers.proxyOf([await deadOrigin()], refused.options)
  expect((await post(none)).status).toBe(503)
  expect(refused.events).toEqual(['begin', 'release'])

  const late = claiming({ deadlineMs: 50 })
  const silent = await servers.serve(() => undefined)
  expect((await post(await servers.proxyOf([silent], late.options))).status).toBe(504)
  expect(late.events).toEqual(['begin', 'release'])
})

test('a claim that arrives after the deadline of its request is released, and no instance gets the request', async ({
  servers,
}) => {
  let calls = 0
  const origin = await servers.serve((_req, res) => void res.end(`${(calls += 1)}`))
  const deciding = Promise.withResolvers<undefined>()
  const { options, events } = claiming({ begin: () => deciding.promise, deadlineMs: 50 })
  expect((await post(await servers.proxyOf([origin], options))).status).toBe(504)
  deciding.resolve(undefined)
  await until(() => events.length === 2)
  expect({ events, calls }).toEqual({ events: ['begin', 'release'], calls: 0 })
})

test('a body over the limit is a 413 and makes no claim', async ({ servers }) => {
  const { options, events } = claiming({ maxBodyBytes: 100 })
  const proxy = await servers.proxyOf([await deadOrigin()], options)
  expect((await post(proxy, 'x'.repeat(101))).status).toBe(413)
  const socket = connect(Number(new URL(proxy).port), '127.0.0.1')
  let read = ''
  socket.on('data', (chunk) => (read += chunk.toString()))
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
  socket.write(`65\r\n${'x'.repeat(101)}\r\n0\r\n\r\n`)
  await until(() => read.includes('HTTP/1.1 413'))
  socket.destroy()
  expect(events).toEqual([])
})

test.for([
  ['with a length', false],
  ['in chunks', true],
] as const)(
  'a response over the limit is stored without its body, and then sent whole: %s',
  async ([, isChunked], { servers }) => {
    const body = 'x'.repeat(200_000)
    const other = await servers.proxyOf([await servers.serve((_req, res) => void res.end())])
    const origin = await servers.serve((_req, res) => {
      res.writeHead(201, isChunked ? { 'X-A': '1' } : { 'X-A': '1', 'Content-Length': '200000' })
      res.end(body)
    })
    const { options, completed, events } = claiming({
      maxResponseBytes: 10_000,
      async complete(response) {
        await ask(other)
        response.headers.push('X-Stored', 'without its body')
        return undefined
      },
    })
    const answer = await post(await servers.proxyOf([origin], options))
    expect(answer).toMatchObject({ status: 201, headers: { 'x-stored': 'without its body' } })
    expect(answer.body.toString() === body).toBe(true)
    expect(completed).toMatchObject([{ isBodyOmitted: true, body: Buffer.alloc(0) }])
    expect(events).toEqual(['begin', 'complete'])
  },
)

test.for([
  ['its rest is missing', 'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n'],
  ['a chunk is malformed', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n'],
])(
  'an instance that breaks off a response over the limit breaks the response of the client, and the request is not repeated: %s',
  async ([, head], { servers }) => {
    const broken = await servers.serveTcp(answering(`${head}${'x'.repeat(2_000)}\r\nzz\r\n`))
    let calls = 0
    const live = await servers.serve((_req, res) => void res.end(`${(calls += 1)}`))
    const other = await servers.proxyOf([await servers.serve((_req, res) => void res.end())])
    const stored: Promise<unknown>[] = []
    const complete = async () => {
      const storing = ask(other)
      stored.push(storing)
      await storing
      return undefined
    }
    for (let i = 0; i < 2; i += 1) {
      const { options, events } = claiming({ mayRepeat: () => true, complete })
      const proxy = await servers.proxyOf([broken, live], options)
      const outcomes = [await outcomeOf(proxy), await outcomeOf(proxy)]
      expect(outcomes.toSorted()).toEqual(['200', 'broken'])
      expect(events).toEqual(['begin', 'complete', 'begin', 'complete'])
    }
    expect(calls).toBe(2)
    await Promise.all(stored)
  },
)

/** A status, or `broken` for a 502 and for a response that breaks off. */
async function outcomeOf(proxy: string): Promise<string> {
  const status = await post(proxy).then(
    (response) => response.status,
    () => 502,
  )
  return status === 502 ? 'broken' : String(status)
}

test('an event stream is stored without its events, sent as they occur, and ends with its client', async ({
  servers,
}) => {
  let isAborted = false
  const origin = await servers.serve((_req, res) => {
    res.on('close', () => (isAborted = true))
    res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n')
  })
  const { options, completed } = claiming()
  const proxy = await servers.proxyOf([origin], options)
  const socket = connect(Number(new URL(proxy).port), '127.0.0.1', () => socket.write(POST))
  let read = ''
  socket.on('data', (chunk) => (read += chunk.toString()))
  await until(() => read.includes('data: 1'))
  expect(completed).toMatchObject([{ isBodyOmitted: true }])
  socket.destroy()
  await until(() => isAborted)
})

test('a response without a body, informational responses and trailers are collected as one response', async ({
  servers,
}) => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n'
  const chunks = 'Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: t\r\n\r\n'
  for (const [bytes, status, body] of [
    [`${hints}HTTP/1.1 200 OK\r\n${chunks}`, 200, 'ok'],
    ['HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n', 204, ''],
    ['HTTP/1.1 201 Created\r\nContent-Length: 0\r\nLocation: /7\r\n\r\n', 201, ''],
  ] as const) {
    const { options, completed, events } = claiming()
    const proxy = await servers.proxyOf([await servers.serveTcp(answering(bytes))], options)
    const answer = await post(proxy)
    expect(answer.status).toBe(status)
    expect(answer.body.toString()).toBe(body)
    expect(answer.headers).not.toHaveProperty('x-t')
    expect('content-length' in answer.headers).toBe(status !== 204)
    expect(completed).toMatchObject([{ statusCode: status, isBodyOmitted: false }])
    expect(events).toEqual(['begin', 'complete'])
  }
})

test('a client that disconnects from a claimed response over the limit aborts it when it is stored', async ({
  servers,
}) => {
  let isAborted = false
  const origin = await servers.serve((_req, res) => {
    res.on('close', () => (isAborted = !res.writableFinished))
    res.writeHead(200).write('x'.repeat(2_000))
  })
  const storing = Promise.withResolvers<undefined>()
  const { options, completed } = claiming({ complete: () => storing.promise })
  let isClosed = false
  const handler = servers.handlerOf(servers.upstreamOf([origin]), options)
  const proxy = await servers.serve((req, res) => {
    res.on('close', () => (isClosed = true))
    handler(req, res)
  })
  const socket = connect(Number(new URL(proxy).port), '127.0.0.1', () => socket.write(POST))
  await until(() => completed.length === 1)
  socket.destroy()
  await until(() => isClosed)
  expect(isAborted).toBe(false)
  storing.resolve(undefined)
  await until(() => isAborted)
})

test('a claimed response over the limit waits at the instance for a client that does not read', async ({
  servers,
}) => {
  const chunk = Buffer.alloc(65_536, 'x')
  const total = 64 << 20
  let written = 0
  const origin = await servers.serve((_req, res) => {
    const write = () => {
      while (written < total) {
        written += chunk.length
        if (!res.write(chunk)) return void res.once('drain', write)
      }
      res.end()
    }
    write()
  })
  // The first part of the response alone fills the buffers of the sockets.
  const { options } = claiming({ maxResponseBytes: 16 << 20 })
  const proxy = await servers.proxyOf([origin], options)
  const socket = connect(Number(new URL(proxy).port), '127.0.0.1', () => socket.write(POST))
  let received = 0
  socket.once('data', (bytes) => {
    received += bytes.length
    socket.pause()
  })
  let before = -1
  let still = 0
  await vi.waitUntil(
    () => {
      still = received > 0 && written === before ? still + 1 : 0
      before = written
      return still > 20
    },
    { interval: 10, timeout: 4_000 },
  )
  expect(written).toBeLessThan(total * 0.6)
  socket.on('data', (bytes) => (received += bytes.length)).resume()
  await until(() => received > total)
  socket.destroy()
})
