import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { afterEach, expect, vi } from 'vitest'
import { ask, test, until } from '../servers.fixture.ts'
import { claiming, post } from './hold.fixture.ts'
import type { WholeResponse } from './hold.ts'

// A hang is a failure within 5 s.
vi.setConfig({ testTimeout: 5_000 })
afterEach(() => void vi.restoreAllMocks())

const stored: WholeResponse = {
  statusCode: 201,
  headers: ['Location', '/7', 'X-A', '1', 'X-A', '2'],
  body: Buffer.from([0, 255, 128, 13, 10]),
}

/** Writes a request that is complete, or a part of one. */
function write(origin: string, text: string) {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1', () => socket.write(text))
  return socket.on('error', () => undefined)
}

const REQUEST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok'

test('a held request is decided with its whole body, although it is larger than the buffer of a stream', async ({
  servers,
}) => {
  const received: Buffer[] = []
  const origin = await servers.serve((req, res) => {
    void buffer(req).then((body) => res.end(`${received.push(body)}`))
  })
  const { options, bodies, events } = claiming({ bufferBytes: 10, maxBodyBytes: 300_000 })
  const proxy = await servers.proxyOf([origin], options)
  const body = randomBytes(200_000)
  expect((await post(proxy, body)).body.toString()).toBe('1')
  expect((await post(proxy, '')).status).toBe(200)
  expect(bodies.map((each) => each.length)).toEqual([200_000, 0])
  expect(bodies[0]?.equals(body) && received[0]?.equals(body)).toBe(true)
  expect(events).toEqual(['begin', 'complete', 'begin', 'complete'])
})

test('a request without a hold is not changed by the option', async ({ servers }) => {
  const origin = await servers.serve((req, res) => void req.pipe(res))
  const proxy = await servers.proxyOf([origin], { hold: () => undefined, maxBodyBytes: 100_000 })
  const body = randomBytes(90_000)
  expect((await post(proxy, body)).body.equals(body)).toBe(true)
})

test('a decision to respond or to refuse reaches the client without an instance', async ({
  servers,
}) => {
  let calls = 0
  const origin = await servers.serve((_req, res) => void res.end(`${(calls += 1)}`))
  const answering = claiming({
    begin: async () => ({
      outcome: 'respond',
      response: { ...stored, headers: [...stored.headers] },
    }),
    responseHeaders: (headers) => void headers.push('X-Proxy', 'yes'),
  })
  const { status, headers, body } = await post(await servers.proxyOf([origin], answering.options))
  expect(status).toBe(201)
  expect(headers).toMatchObject({ location: '/7', 'x-a': '1, 2', 'x-proxy': 'yes' })
  expect(headers).toMatchObject({ 'content-length': '5' })
  expect(body).toEqual(stored.body)

  const refusing = claiming({
    begin: async () => ({
      outcome: 'refuse',
      send: (res) => void res.writeHead(409, { 'Retry-After': '3' }).end('later'),
    }),
  })
  const refused = await post(await servers.proxyOf([origin], refusing.options))
  expect(refused).toMatchObject({ status: 409, headers: { 'retry-after': '3' } })
  expect(calls).toBe(0)
})

test('a decision that fails is a 500 without an instance, and a decision to forward needs no claim', async ({
  servers,
}) => {
  let calls = 0
  const origin = await servers.serve((_req, res) => void res.end(`${(calls += 1)}`))
  const failing = claiming({ begin: () => Promise.reject(new Error('secret')) })
  const failed = await post(await servers.proxyOf([origin], failing.options))
  expect(failed.status).toBe(500)
  expect(failed.body.toString()).not.toContain('secret')
  expect(calls).toBe(0)
  const forwarding = claiming({ begin: async () => ({ outcome: 'forward' }) })
  const forwarded = await post(await servers.proxyOf([origin], forwarding.options))
  expect(forwarded).toMatchObject({ status: 200, body: Buffer.from('1') })
  expect([failing.events, forwarding.events]).toEqual([['begin'], ['begin']])
})

test('the client receives no byte of a claimed response before it is stored, then the same bytes', async ({
  servers,
}) => {
  const bytes = Buffer.concat([Buffer.from([0, 255, 10]), randomBytes(700)])
  const origin = await servers.serve((_req, res) => {
    res.writeHead(201, { 'X-B': 'b', 'Content-Type': 'application/octet-stream' })
    res.write(bytes.subarray(0, 3))
    // The connections to instances share the memory that they read to.
    void ask(other).then(() => res.end(bytes.subarray(3)))
  })
  const other = await servers.proxyOf([await servers.serve((_req, res) => void res.end('other'))])
  const storing = Promise.withResolvers<void>()
  const { options, completed } = claiming({
    async complete(response) {
      response.headers.push('X-Stored', 'yes')
      await storing.promise
      return undefined
    },
  })
  const proxy = await servers.proxyOf([origin], options)
  const socket = write(proxy, REQUEST)
  let read = 0
  socket.on('data', (chunk) => (read += chunk.length))
  await until(() => completed.length === 1)
  // A second request is a full turn of the proxy and of the client.
  await ask(await servers.proxyOf([origin]))
  expect(read).toBe(0)
  storing.resolve()
  await until(() => read > 700)
  socket.destroy()

  const { status, headers, body } = await post(proxy)
  expect(status).toBe(201)
  expect(body.equals(bytes)).toBe(true)
  expect(headers).toMatchObject({ 'x-stored': 'yes', 'x-b': 'b', 'content-length': '703' })
  expect(completed[1]).toMatchObject({ statusCode: 201, isBodyOmitted: false })
  expect(completed[1]?.body.equals(bytes)).toBe(true)
})

test('the response of another attempt replaces that of the instance, and an error while it is stored does not', async ({
  servers,
}) => {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const origin = await servers.serve((_req, res) => void res.end('of the instance'))
  const fenced = claiming({ complete: async () => ({ ...stored, headers: [...stored.headers] }) })
  expect(await post(await servers.proxyOf([origin], fenced.options))).toMatchObject({
    status: 201,
    body: stored.body,
  })
  const failing = claiming({ complete: () => Promise.reject(new Error('the store is gone')) })
  const sent = await post(await servers.proxyOf([origin], failing.options))
  expect(sent).toMatchObject({ status: 200, body: Buffer.from('of the instance') })
  expect(failing.events).toEqual(['begin', 'complete'])
})

test('a client that disconnects while its request is decided or runs does not abort it', async ({
  servers,
}) => {
  for (const phase of ['decided', 'runs']) {
    let aborts = 0
    let finish: (() => void) | undefined
    const origin = await servers.serve((_req, res) => {
      res.on('close', () => (aborts += res.writableFinished ? 0 : 1))
      finish = () => void res.end('done')
    })
    const deciding = Promise.withResolvers<undefined>()
    const { options, events, completed } = claiming({ begin: () => deciding.promise })
    let isClosed = false
    const handler = servers.handlerOf(servers.upstreamOf([origin]), options)
    const proxy = await servers.serve((req, res) => {
      res.on('close', () => (isClosed = true))
      handler(req, res)
    })
    const socket = write(proxy, REQUEST)
    await until(() => events.length === 1)
    if (phase === 'runs') {
      deciding.resolve(undefined)
      await until(() => finish !== undefined)
    }
    socket.destroy()
    await until(() => isClosed)
    deciding.resolve(undefined)
    await until(() => finish !== undefined)
    finish?.()
    await until(() => completed.length === 1)
    expect(completed[0]?.body.toString()).toBe('done')
    expect({ aborts, events }).toEqual({ aborts: 0, events: ['begin', 'complete'] })
  }
})

test('a client that disconnects before its body is complete, or whose request has no claim, ends its request', async ({
  servers,
}) => {
  let calls = 0
  const origin = await servers.serve((_req, res) => void res.end(`${(calls += 1)}`))
  const deciding = Promise.withResolvers<{ outcome: 'forward' }>()
  const { options, events } = claiming({ begin: () => deciding.promise })
  let closed = 0
  const handler = servers.handlerOf(servers.upstreamOf([origin]), options)
  const proxy = await servers.serve((req, res) => {
    res.on('close', () => (closed += 1))
    handler(req, res)
  })
  const incomplete = write(proxy, REQUEST.slice(0, -1))
  const whole = write(proxy, REQUEST)
  await until(() => events.length === 1)
  incomplete.destroy()
  whole.destroy()
  await until(() => closed === 2)
  deciding.resolve({ outcome: 'forward' })
  // The next request is forwarded after both of them.
  expect((await post(proxy)).body.toString()).toBe('1')
  expect(events).toEqual(['begin', 'begin'])
})
