import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { expect, vi } from 'vitest'
import { ask, send, test } from './pool.fixture.ts'

vi.setConfig({ testTimeout: 10_000 })

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const forged = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged'
const until = (fact: () => boolean) => vi.waitUntil(fact, { timeout: 8_000, interval: 2 })
const parts = () => Readable.from(['abc', 'def'].map((part) => Buffer.from(part)))

const fault = (): never => {
  throw new Error('a defect')
}

/** A turn in which the event loop reads its sockets. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('requests in turn use one connection, and simultaneous ones use one each', async ({
  pools,
}) => {
  const held: (() => void)[] = []
  const instance = await pools.instance((socket, text) => {
    if (text.startsWith('GET /held')) held.push(() => socket.write(OK))
    else socket.write(OK)
  })
  const pool = pools.poolOf(instance.origin)
  for (let i = 0; i < 5; i += 1) {
    expect(await ask(pool)).toMatchObject({ body: 'ok', events: ['sent', 'head 200', 'end'] })
  }
  expect(instance.connections).toHaveLength(1)
  const both = [send(pool, { path: '/held' }), send(pool, { path: '/held' })]
  await until(() => held.length === 2)
  expect(instance.connections).toHaveLength(2)
  for (const release of held) release()
  await Promise.all(both.map(({ ended }) => ended))
  await ask(pool)
  expect(instance.connections).toHaveLength(2)
})

test.for([
  [
    'with Connection: close',
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
    {},
  ],
  ['in HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', {}],
  ['with a short time of keep-alive', OK.replace('OK\r\n', 'OK\r\nKeep-Alive: timeout=2\r\n'), {}],
  ['to HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n', { method: 'HEAD' }],
  ['to a GET with a body', OK, { body: Buffer.from('x') }],
  ['with bytes after its end', `${OK}x`, {}],
  ['with a second response', `${OK}${OK}`, {}],
  ['with status 204 and a length', 'HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n', {}],
] as const)(
  'the connection of a response %s gets no further request',
  async ([, bytes, request], { pools }) => {
    const instance = await pools.instance((socket) => void socket.write(bytes))
    const pool = pools.poolOf(instance.origin)
    for (let i = 1; i <= 3; i += 1) {
      const { events } = await ask(pool, request)
      expect(events.at(-1)).toBe('end')
      expect(instance.connections).toHaveLength(i)
    }
    await until(() => instance.connections.every(({ socket }) => socket.destroyed))
  },
)

test('a response that no request expects ends an idle connection, and never answers the next request', async ({
  pools,
}) => {
  const instance = await pools.instance((socket, text) => {
    socket.write(text.startsWith('GET /first') ? OK : OK.replace('ok', 'hi'))
  })
  const pool = pools.poolOf(instance.origin)
  await ask(pool, { path: '/first' })
  const [first] = instance.connections
  first?.socket.write(forged)
  await until(() => first?.socket.destroyed === true)
  expect(await ask(pool)).toMatchObject({ body: 'hi' })
  expect(instance.connections).toHaveLength(2)
})

test('a forged response that has arrived when a request is sent is not its response', async ({
  pools,
}) => {
  const instance = await pools.instance((socket) => void socket.write(OK))
  const pool = pools.poolOf(instance.origin)
  await ask(pool)
  const [first] = instance.connections
  const flushed = Promise.withResolvers<void>()
  first?.socket.write(forged, () => flushed.resolve())
  await flushed.promise
  // The bytes are in the receive buffer of the connection. Its event has not run.
  expect(await ask(pool)).toMatchObject({ body: 'ok', events: ['sent', 'head 200', 'end'] })
  expect(first?.received.split('GET')).toHaveLength(2)
})

test.for([
  ['a forged response', (socket?: Socket) => socket?.write(forged)],
  ['the end of the connection', (socket?: Socket) => socket?.end()],
] as const)(
  'a connection that becomes idle while a POST waits for another one is not used for it: then follows %s',
  async ([, follow], { pools }) => {
    // 20 attempts, in which the connection becomes idle before, during and after the wait.
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const held: Socket[] = []
      const instance = await pools.instance((socket, text) => {
        if (text.startsWith('GET /held')) held.push(socket)
        else socket.write(OK)
      })
      const pool = pools.poolOf(instance.origin)
      const busy = send(pool, { path: '/held' })
      await until(() => held.length === 1)
      await ask(pool)
      const onIdle = pool.onIdle.bind(pool)
      // These bytes arrive directly after the read of the response.
      pool.onIdle = (connection, keepAliveS) => {
        onIdle(connection, keepAliveS)
        if (busy.events.length === 2 && held[0]) follow(held.pop())
      }
      await turn()
      const waiting = send(pool, { method: 'POST' })
      for (let i = 0; i < attempt % 5; i += 1) await turn()
      held[0]?.write(OK)
      await Promise.all([busy.ended, waiting.ended])
      expect(waiting, `attempt ${attempt}`).toMatchObject({
        body: 'ok',
        events: ['sent', 'head 200', 'end'],
      })
      pool.destroy()
    }
  },
)

test('a request on a connection that the instance has closed uses another one, and does not fail', async ({
  pools,
}) => {
  const instance = await pools.instance((socket) => void socket.write(OK))
  const pool = pools.poolOf(instance.origin)
  for (let i = 0; i < 50; i += 1) {
    expect((await ask(pool, { method: 'POST' })).events.at(-1)).toBe('end')
    // The end has arrived at the connection. Its event has not run.
    await new Promise<void>((resolve) => instance.connections.at(-1)?.socket.end(resolve))
  }
})

test.for([
  ['nothing', '', 'closed'],
  ['half a head', 'HTTP/1.1 200 OK\r\nContent-', 'closed'],
  ['half a body', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok', 'closed'],
  ['no HTTP', 'SSH-2.0\r\n', 'bad_response'],
] as const)(
  'a connection that closes after %s is one error of its request',
  async ([, bytes, code], { pools }) => {
    const instance = await pools.instance((socket) => void socket.end(bytes))
    const { events } = await ask(pools.poolOf(instance.origin))
    expect(events[0]).toBe('sent')
    expect(events.at(-1)).toBe(`error ${code}`)
    expect(events.filter((event) => event.startsWith('error'))).toHaveLength(1)
  },
)

test('an instance that refuses the connection is an error of a request that was not sent', async ({
  pools,
}) => {
  const instance = await pools.instance(() => undefined)
  await new Promise((resolve) => instance.server.close(resolve))
  expect((await ask(pools.poolOf(instance.origin))).events).toEqual(['error ECONNREFUSED'])
})

test('an invalid request is an error before a connection is opened', async ({ pools }) => {
  const instance = await pools.instance(() => undefined)
  const pool = pools.poolOf(instance.origin)
  const recorder = send(pool, { headers: ['X-A', 'a\r\nX-B: c'] })
  expect(recorder.events).toEqual(['error invalid_request'])
  await pool.close()
  expect(instance.connections).toHaveLength(0)
})

test.for([
  ['the head', { headersTimeoutMs: 30 }, '', 'head_timeout'],
  ['the rest of the head', { headersTimeoutMs: 30 }, 'HTTP/1.1 200 OK\r\n', 'head_timeout'],
  [
    'the body',
    { bodyTimeoutMs: 30 },
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok',
    'body_timeout',
  ],
] as const)(
  'a missing part of the response is an error at its timeout: %s',
  async ([, options, bytes, code], { pools }) => {
    const instance = await pools.instance((socket) => void socket.write(bytes))
    expect((await ask(pools.poolOf(instance.origin, options))).events.at(-1)).toBe(`error ${code}`)
  },
)

test('a paused response, and a stream, have no body timeout', async ({ pools }) => {
  const instance = await pools.instance((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok')
  })
  const pool = pools.poolOf(instance.origin, { bodyTimeoutMs: 20 })
  const paused = send(pool)
  const stream = send(pool, { isStream: true })
  await until(() => paused.body === 'ok' && stream.body === 'ok')
  paused.call?.pause()
  // The timeout of another response ends later.
  expect((await ask(pool)).events.at(-1)).toBe('error body_timeout')
  for (const { socket } of instance.connections) if (!socket.destroyed) socket.write('ay')
  await stream.ended
  expect(stream.body).toBe('okay')
  expect(paused.body).toBe('ok')
  paused.call?.resume()
  await paused.ended
  expect(paused.body).toBe('okay')
})

test('a streamed body is sent in chunks or with its length, and its response ends the request', async ({
  pools,
}) => {
  const instance = await pools.instance((socket, text) => {
    if (text.endsWith('0\r\n\r\n') || text.endsWith('def')) socket.write(OK)
  })
  const pool = pools.poolOf(instance.origin)
  expect((await ask(pool, { method: 'POST', body: parts() })).body).toBe('ok')
  expect(instance.connections[0]?.received).toMatch(/\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n$/)
  const headers = ['Content-Length', '6']
  expect((await ask(pool, { method: 'POST', headers, body: parts() })).body).toBe('ok')
  expect(instance.connections[0]?.received).toMatch(/Content-Length: 6\r\n\r\nabcdef$/)
  expect(instance.connections).toHaveLength(1)
})

test.for([
  ['longer', '5', 'invalid_request'],
  ['shorter', '7', 'invalid_request'],
] as const)(
  'a streamed body that is %s than its length breaks the connection, and sends no byte beyond it',
  async ([, length, code], { pools }) => {
    const instance = await pools.instance(() => undefined)
    const pool = pools.poolOf(instance.origin)
    const body = parts()
    const { events } = await ask(pool, {
      method: 'POST',
      headers: ['Content-Length', length],
      body,
    })
    expect(events).toEqual(['sent', `error ${code}`])
    await until(() => instance.connections.every(({ socket }) => socket.destroyed))
    expect(instance.connections[0]?.received).not.toContain('abcdefg')
    expect(body.destroyed).toBe(true)
  },
)

test('a response that precedes the end of the request body ends the connection and the body', async ({
  pools,
}) => {
  const instance = await pools.instance((socket, _text, count) => count === 1 && socket.write(OK))
  const pool = pools.poolOf(instance.origin)
  const body = new Readable({ read: () => undefined })
  body.push('begun')
  expect((await ask(pool, { method: 'POST', body })).events.at(-1)).toBe('end')
  expect(body.destroyed).toBe(true)
  await ask(pool)
  expect(instance.connections).toHaveLength(2)
})

test('a connection with an unwritten rest of a request gets no further request', async ({
  pools,
}) => {
  const instance = await pools.instance((socket, _text, count) => {
    socket.pause()
    if (count === 1) socket.write(OK)
  })
  const pool = pools.poolOf(instance.origin)
  const body = Buffer.alloc(16 << 20)
  expect((await ask(pool, { method: 'POST', body })).events.at(-1)).toBe('end')
  expect((await ask(pool)).body).toBe('ok')
  expect(instance.connections).toHaveLength(2)
})

test('an aborted request ends once and at once, at any time', async ({ pools }) => {
  const instance = await pools.instance(
    (socket) => void socket.write('HTTP/1.1 200 OK\r\n\r\nbegun'),
  )
  const pool = pools.poolOf(instance.origin)
  const reason = Object.assign(new Error('not needed'), { code: 'aborted' })
  const early = send(pool)
  early.call?.abort(reason)
  expect(early.events).toEqual(['error aborted'])
  const late = send(pool)
  await until(() => late.body === 'begun')
  late.call?.abort(reason)
  late.call?.abort(reason)
  expect(late.events).toEqual(['sent', 'head 200', 'error aborted'])
  const used = pools.poolOf((await pools.instance((socket) => void socket.write(OK))).origin)
  await ask(used)
  const waiting = send(used)
  waiting.call?.abort(reason)
  await turn()
  expect(waiting.events).toEqual(['error aborted'])
  expect((await ask(used)).body).toBe('ok')
})

test('an accepted upgrade hands the socket over with the bytes that followed the head', async ({
  pools,
}) => {
  const instance = await pools.instance((socket, text, count) => {
    if (count > 1) return void socket.write(text.toUpperCase())
    socket.write('HTTP/1.1 101 Up\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly')
  })
  const pool = pools.poolOf(instance.origin)
  const recorder = await ask(pool, { isUpgrade: true })
  expect(recorder.events).toEqual(['sent', 'upgrade'])
  await until(() => recorder.body === 'early')
  recorder.socket?.write('frame')
  await until(() => recorder.body === 'earlyFRAME')
  await pool.close()
  expect(recorder.socket?.destroyed).toBe(false)
  recorder.socket?.destroy()
})

test('a handler that throws ends its connection, and the next request is answered', async ({
  pools,
}) => {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const instance = await pools.instance((socket) => void socket.write(OK))
  const pool = pools.poolOf(instance.origin)
  for (const method of ['onSent', 'onHead', 'onData', 'onEnd', 'onError'] as const) {
    const ended = vi.spyOn(pool, 'onClosed')
    const recorder = Object.assign(send(pool), { [method]: fault })
    if (method === 'onError') recorder.call?.abort(new Error('not needed'))
    await turn()
    await until(() => ended.mock.calls.length > 0)
    ended.mockRestore()
    expect((await ask(pool)).body).toBe('ok')
  }
  await pool.close()
})

test('an idle connection closes after its time, and close waits for requests in flight', async ({
  pools,
}) => {
  let held: Socket | undefined
  const instance = await pools.instance((socket, text) => {
    if (text.startsWith('GET /held')) held = socket
    else socket.write(OK)
  })
  const pool = pools.poolOf(instance.origin, { keepAliveMs: 20 })
  await ask(pool)
  await until(() => instance.connections[0]?.socket.destroyed === true)
  const recorder = send(pool, { path: '/held' })
  await until(() => held !== undefined)
  const closed = vi.fn()
  const closing = pool.close().then(closed)
  expect((await ask(pool)).events).toEqual(['error closed'])
  expect(closed).not.toHaveBeenCalled()
  held?.write(OK)
  await closing
  expect(recorder.body).toBe('ok')
  await until(() => instance.connections.every(({ socket }) => socket.destroyed))
})

test('responses with random bodies arrive unchanged on connections that share their buffer', async ({
  pools,
}) => {
  const sizes = Array.from({ length: 200 }, () => Math.floor(Math.random() * 50_000))
  const bodies = new Map(sizes.map((size) => [size, randomBytes(size)]))
  const server = createServer((req, res) => {
    const size = Number(req.url?.slice(1))
    const body = bodies.get(size) ?? Buffer.alloc(0)
    for (let at = 0; at < size; at += 9_000) res.write(body.subarray(at, at + 9_000))
    res.end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const pool = pools.poolOf(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`)
  const answers = await Promise.all(sizes.map((size) => ask(pool, { path: `/${size}` })))
  const expected = sizes.map((size) => bodies.get(size)?.toString('latin1'))
  expect(answers.map(({ body }) => body)).toEqual(expected)
  server.close()
})
