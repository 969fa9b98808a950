import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { test as base } from '../servers.fixture.ts'
import type { ProxyOptions } from '../settings.ts'
import { isWebSocketUpgrade } from './handshake.ts'
import {
  createWebSocketProxy,
  type WebSocketOptions,
  type WebSocketProxy,
} from './websocket-proxy.ts'

type Upgraded = (socket: Duplex, req: IncomingMessage, head: Buffer) => void

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

export const handshake = (fields = '', key = `Sec-WebSocket-Key: ${KEY}\r\n`) =>
  `GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n` +
  `Sec-WebSocket-Version: 13\r\n${key}${fields}\r\n`

/** Accepts a handshake (RFC 6455 4.2.2). */
export function accept(socket: Duplex, req: IncomingMessage, fields = ''): void {
  const key = `${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
  const digest = createHash('sha1').update(key).digest('base64')
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${digest}\r\n${fields}\r\n`,
  )
}

/** Accepts, and sends the bytes that follow back. Raw frames of a client are masked. */
export const echo: Upgraded = (socket, req) => {
  accept(socket, req)
  socket.pipe(socket)
}

/** A connection with all bytes that it has received. */
export interface Client {
  readonly socket: Socket
  readonly text: string
  readonly bytes: Buffer
  readonly isClosed: boolean
}

export function open(origin: string, bytes: string | Buffer): Client {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  let chunks: Buffer[] = []
  const client = {
    socket,
    isClosed: false,
    get bytes() {
      if (chunks.length > 1) chunks = [Buffer.concat(chunks)]
      return chunks[0] ?? Buffer.alloc(0)
    },
    get text() {
      return client.bytes.toString('latin1')
    },
  }
  socket.on('error', () => undefined).on('close', () => (client.isClosed = true))
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.write(bytes)
  return client
}

export interface WebSockets {
  /** Starts an instance that accepts WebSockets, and responds 404 to other requests. */
  instance(upgraded: Upgraded): Promise<string>
  /** Starts a proxy of WebSockets and of requests. */
  proxyOf(
    origins: string[],
    options?: Partial<ProxyOptions<void> & WebSocketOptions>,
  ): Promise<{ origin: string; proxy: WebSocketProxy<void>; inFlight: () => number }>
}

export const test = base.extend<{ webSockets: WebSockets }>({
  webSockets: async ({ servers }, use) => {
    const sockets = new Set<Duplex>()
    await use({
      instance(upgraded) {
        const server = createServer((_req, res) => res.writeHead(404).end('plain'))
        server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
          sockets.add(socket)
          socket.on('error', () => socket.destroy())
          upgraded(socket, req, head)
        })
        return servers.serveTcp(server)
      },
      async proxyOf(origins, options) {
        const upstream = servers.upstreamOf(origins, { streams: 5 })
        const proxy = createWebSocketProxy({ upstream, ...options })
        const plain = servers.handlerOf(upstream)
        const server = createServer({ shouldUpgradeCallback: isWebSocketUpgrade }, plain)
        server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
          sockets.add(socket)
          proxy.handleUpgrade(req, socket, head)
        })
        const inFlight = () => upstream.targets().reduce((sum, each) => sum + each.inFlight, 0)
        return { origin: await servers.serveTcp(server), proxy, inFlight }
      },
    })
    for (const socket of sockets) socket.destroy()
  },
})
