import type { Duplex } from 'node:stream'
import { expect, vi } from 'vitest'
import { until } from '../servers.fixture.ts'
import { accept, echo, handshake, open, test } from './websocket.fixture.ts'

vi.setConfig({ testTimeout: 10_000 })

const CLOSE_1012 = Buffer.from([0x88, 2, 0x03, 0xf4])
/** The close frame of a client, with a mask of zeros. */
const CLIENT_CLOSE = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8])

const framesOf = ({ bytes }: { bytes: Buffer }) => bytes.subarray(bytes.indexOf('\r\n\r\n') + 4)

const isOpen = ({ text }: { text: string }) => text.startsWith('HTTP/1.1 101')

test('a drain closes each WebSocket with code 1012 on both sides, and waits for the clients', async ({
  webSockets,
}) => {
  const received: Buffer[] = []
  const instance = await webSockets.instance((socket, req) => {
    accept(socket, req)
    socket.on('data', (chunk: Buffer) => received.push(chunk))
  })
  const { origin, proxy, inFlight } = await webSockets.proxyOf([instance])
  const clients = [0, 1, 2].map(() => open(origin, handshake()))
  await until(() => clients.every(isOpen) && proxy.open === 3)
  const drained = vi.fn()
  // Each call resolves, also the first one.
  const draining = [proxy.drain().then(drained), proxy.drain().then(drained)]
  await until(() => clients.every((client) => framesOf(client).equals(CLOSE_1012)))
  expect(drained).not.toHaveBeenCalled()
  for (const { socket } of clients) socket.write(CLIENT_CLOSE)
  await Promise.all(draining)
  expect(clients.every(({ isClosed }) => isClosed)).toBe(true)
  expect(Buffer.concat(received)).toHaveLength(24)
  await until(() => inFlight() === 0)
  // A WebSocket that opens during the drain closes too.
  const late = open(origin, handshake())
  await until(() => framesOf(late).equals(CLOSE_1012))
})

test('a client that does not answer the close frame is cut off, so that the drain ends', async ({
  webSockets,
}) => {
  const { origin, proxy } = await webSockets.proxyOf([await webSockets.instance(echo)])
  const client = open(origin, handshake())
  await until(() => isOpen(client) && proxy.open === 1)
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const draining = proxy.drain()
  vi.advanceTimersByTime(2_000)
  vi.useRealTimers()
  await draining
  await until(() => client.isClosed)
})

test('the close frame of a drain stands after the frame that the instance is sending', async ({
  webSockets,
}) => {
  const sockets: Duplex[] = []
  const instance = await webSockets.instance((socket, req) => {
    accept(socket, req)
    sockets.push(socket)
  })
  const { origin, proxy } = await webSockets.proxyOf([instance])
  const client = open(origin, handshake())
  await until(() => isOpen(client) && proxy.open === 1)
  const message = Buffer.concat([Buffer.from([0x82, 126, 1, 0x2c]), Buffer.alloc(300, 7)])
  sockets[0]?.write(message.subarray(0, 100))
  await until(() => framesOf(client).length === 100)
  const draining = proxy.drain()
  // The rest of the message, and one more that comes too late.
  sockets[0]?.write(Buffer.concat([message.subarray(100), message]))
  await until(() => framesOf(client).equals(Buffer.concat([message, CLOSE_1012])))
  client.socket.write(CLIENT_CLOSE)
  await draining
})

test('a WebSocket without a byte for the idle time is closed, and one with a ping is not', async ({
  webSockets,
}) => {
  const { origin } = await webSockets.proxyOf([await webSockets.instance(echo)], { idleMs: 300 })
  const [idle, busy] = [open(origin, handshake()), open(origin, handshake())]
  await until(() => isOpen(idle) && isOpen(busy))
  const pings = setInterval(() => busy.socket.write(Buffer.from([0x89, 0x80, 0, 0, 0, 0])), 20)
  await until(() => framesOf(idle).equals(Buffer.from([0x88, 2, 0x03, 0xe9])))
  expect(busy.isClosed).toBe(false)
  expect(framesOf(busy).includes(0x88)).toBe(false)
  clearInterval(pings)
})

test('a side that breaks off also breaks off on the other side', async ({ webSockets }) => {
  const sockets: Duplex[] = []
  const closed = vi.fn()
  const instance = await webSockets.instance((socket, req) => {
    accept(socket, req)
    socket.on('end', closed).resume()
    sockets.push(socket)
  })
  const { origin, inFlight } = await webSockets.proxyOf([instance])
  const [first, second] = [open(origin, handshake()), open(origin, handshake())]
  await until(() => isOpen(first) && isOpen(second))
  first.socket.resetAndDestroy()
  await until(() => closed.mock.calls.length === 1)
  for (const socket of sockets) socket.destroy()
  await until(() => second.isClosed)
  await until(() => inFlight() === 0)
})

test('a slow client pauses the instance, and receives every byte', async ({ webSockets }) => {
  let sent = 0
  const chunk = Buffer.alloc(65_536, 1)
  const total = 320 * chunk.length
  const instance = await webSockets.instance((socket, req) => {
    accept(socket, req)
    const write = (): void => {
      while (sent < total) {
        sent += chunk.length
        if (!socket.write(chunk)) return void socket.once('drain', write)
      }
      socket.end()
    }
    write()
  })
  const { origin } = await webSockets.proxyOf([instance])
  const client = open(origin, handshake())
  await until(() => isOpen(client))
  client.socket.pause()
  let before = -1
  await vi.waitUntil(
    () => {
      const isSettled = sent === before
      before = sent
      return isSettled
    },
    { interval: 100, timeout: 8_000 },
  )
  expect(sent).toBeLessThan(total * 0.8)
  client.socket.resume()
  await until(() => client.isClosed)
  expect(framesOf(client)).toHaveLength(total)
})
