import { once } from 'node:events'
import { expect, vi } from 'vitest'
import { ask, deadOrigin, until } from '../servers.fixture.ts'
import { accept, echo, handshake, KEY, open, test } from './websocket.fixture.ts'

vi.setConfig({ testTimeout: 10_000 })

/** The bytes after the head of the response. */
const framesOf = ({ bytes }: { bytes: Buffer }) => bytes.subarray(bytes.indexOf('\r\n\r\n') + 4)

test('a WebSocket client and an instance exchange messages, and each close passes', async ({
  webSockets,
}) => {
  const instance = await webSockets.instance((socket, req) => {
    accept(socket, req, 'Sec-WebSocket-Protocol: chat\r\n')
    socket.write(Buffer.from([0x81, 5, ...Buffer.from('hello')]))
    // It answers the close frame of the client.
    socket.once('data', () => socket.end(Buffer.from([0x88, 2, 0x03, 0xe8])))
  })
  const { origin, proxy, inFlight } = await webSockets.proxyOf([instance])
  const client = new WebSocket(`${origin.replace('http', 'ws')}/ws`, ['other', 'chat'])
  const [message] = await once(client, 'message')
  expect(message).toMatchObject({ data: 'hello' })
  expect(client.protocol).toBe('chat')
  expect(inFlight()).toBe(1)
  expect(proxy.open).toBe(1)
  const closed = once(client, 'close')
  client.close(1_000)
  expect((await closed)[0]).toMatchObject({ code: 1_000 })
  await until(() => inFlight() === 0 && proxy.open === 0)
})

test('hooks change the headers of a handshake, and the identity of a client is dropped', async ({
  webSockets,
}) => {
  const seen: unknown[] = []
  const instance = await webSockets.instance((socket, req) => {
    seen.push(req.headers['x-user-id'], req.headers['x-forwarded-for'])
    accept(socket, req)
  })
  const { origin } = await webSockets.proxyOf([instance], {
    dropRequestHeaders: ['X-User-Id'],
    requestHeaders: (headers) => void headers.push('X-User-Id', 'ada'),
    responseHeaders: (headers) => void headers.push('X-Instance-Id', 'gateway-1'),
  })
  const client = open(origin, handshake('X-User-Id: mallory\r\n'))
  await until(() => client.text.includes('\r\n\r\n'))
  expect(client.text).toMatch(/^HTTP\/1.1 101 Switching Protocols\r\n/)
  expect(client.text).toContain('X-Instance-Id: gateway-1\r\n')
  expect(seen).toEqual(['ada', '127.0.0.1'])
})

test('bytes that follow the handshake at once arrive in both directions', async ({
  webSockets,
}) => {
  const instance = await webSockets.instance((socket, req, head) => {
    accept(socket, req)
    socket.write(head)
    socket.pipe(socket)
  })
  const { origin } = await webSockets.proxyOf([instance])
  const client = open(origin, `${handshake()}early`)
  await until(() => framesOf(client).toString() === 'early')
})

const without = (line: string) => handshake().replace(line, '')

test.for([
  ['without a key', handshake('', ''), 400],
  ['with a short key', handshake('', 'Sec-WebSocket-Key: YWJj\r\n'), 400],
  ['with two keys', handshake(`Sec-WebSocket-Key: ${KEY}\r\n`), 400],
  ['with a key that is no base64', handshake('', `Sec-WebSocket-Key: ${'!'.repeat(24)}\r\n`), 400],
  ['with version 8', handshake().replace('13', '8'), 426],
  ['without a version', without('Sec-WebSocket-Version: 13\r\n'), 426],
  ['with a body', handshake('Content-Length: 5\r\n'), 400],
  ['with chunks', handshake('Transfer-Encoding: chunked\r\n'), 400],
  ['with POST', handshake().replace('GET', 'POST'), 400],
  ['in HTTP 1.0', handshake().replace('/1.1', '/1.0'), 400],
  ['with an absolute target', handshake().replace('/ws', 'http://evil/ws'), 400],
] as const)(
  'a handshake %s is a problem that no instance receives',
  async ([, bytes, status], { webSockets }) => {
    const upgraded = vi.fn()
    const { origin, inFlight } = await webSockets.proxyOf([await webSockets.instance(upgraded)])
    const client = open(origin, bytes)
    await until(() => client.isClosed)
    expect(client.text).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(client.text).toContain('application/problem+json')
    if (status === 426) expect(client.text).toContain('Sec-WebSocket-Version: 13\r\n')
    expect(upgraded).not.toHaveBeenCalled()
    expect(inFlight()).toBe(0)
  },
)

test('another protocol to upgrade to is ignored, and the request is answered as a plain one', async ({
  webSockets,
}) => {
  const { origin } = await webSockets.proxyOf([await webSockets.instance(echo)])
  const headers = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c' }
  expect(await ask(origin, { headers })).toMatchObject({ status: 404, body: 'plain' })
})

const INVALID = 'HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'

test.for([
  ['another key', `${INVALID}Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n`],
  ['no key', `${INVALID}\r\n`],
  ['another protocol', `HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`],
  ['a malformed head', 'HTTP/1.1 101\r\n\u0000\r\n\r\n'],
  ['nothing', ''],
] as const)(
  'an instance that accepts with %s is a 502, and gets no byte of the client',
  async ([, bytes], { webSockets }) => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const received = vi.fn()
    const instance = await webSockets.instance((socket) => {
      socket.on('data', received)
      socket.write(bytes)
      if (bytes === '') socket.end()
    })
    const { origin, inFlight } = await webSockets.proxyOf([instance], { retries: 0 })
    const client = open(origin, `${handshake()}early`)
    await until(() => client.isClosed)
    expect(client.text).toMatch(/^HTTP\/1.1 502 /)
    expect(received).not.toHaveBeenCalled()
    await until(() => inFlight() === 0)
  },
)

test('the refusal of an instance is forwarded, and the connection closes after it', async ({
  webSockets,
}) => {
  const body = 'x'.repeat(3_000_000)
  const instance = await webSockets.instance((socket) => {
    socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  })
  const { origin } = await webSockets.proxyOf([instance])
  const client = open(origin, handshake())
  await until(() => client.isClosed)
  expect(client.text).toMatch(/^HTTP\/1.1 403 Forbidden\r\n/)
  expect(client.text.endsWith(`\r\n\r\n${body}`)).toBe(true)
})

test('a handshake reaches the only instance that is alive, and is a 503 without one', async ({
  webSockets,
}) => {
  const live = await webSockets.instance(echo)
  const { origin } = await webSockets.proxyOf([await deadOrigin(), await deadOrigin(), live])
  const client = open(origin, handshake())
  await until(() => client.text.startsWith('HTTP/1.1 101'))
  const none = await webSockets.proxyOf([await deadOrigin()])
  const refused = open(none.origin, handshake())
  await until(() => refused.isClosed)
  expect(refused.text).toMatch(/^HTTP\/1.1 503 /)
})

test('WebSocket 6 of an instance with 5 slots is a 503, and requests are answered beside them', async ({
  webSockets,
}) => {
  const { origin } = await webSockets.proxyOf([await webSockets.instance(echo)])
  const clients = Array.from({ length: 5 }, () => open(origin, handshake()))
  await until(() => clients.every(({ text }) => text.startsWith('HTTP/1.1 101')))
  const refused = open(origin, handshake())
  await until(() => refused.isClosed)
  expect(refused.text).toMatch(/^HTTP\/1.1 503 /)
  expect(refused.text).toContain('"overloaded"')
  expect((await ask(origin)).status).toBe(404)
  clients[0]?.socket.destroy()
  await vi.waitUntil(async () => {
    const next = open(origin, handshake())
    await until(() => next.isClosed || next.text.startsWith('HTTP/1.1 101'))
    return next.text.startsWith('HTTP/1.1 101')
  })
})
