import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Endpoint, endpoints } from '@repo/api/endpoints'
import { boot, readEnv } from '@repo/service'
import { gatewaySettings } from './env.ts'
import { listen } from './servers.fixture.ts'
import { start } from './start.ts'
import { isUnavailable } from './unavailable.ts'

const live = {
  method: 'GET',
  tag: 'test',
  summary: 'Echo',
  responses: {},
  websocket: true,
} as const

const CLOSE = 8

/** A route with WebSockets of a service for signed-in callers, and one of an open service. */
const webSockets: Endpoint[] = [
  { ...live, path: '/api/payments/live', auth: 'signed-in' },
  { ...live, path: '/api/auth/live', auth: 'open' },
]

/** The gateway of a release whose contract has WebSockets. */
export async function bootGateway(): Promise<void> {
  const env = readEnv(gatewaySettings)
  await boot({
    app: 'gateway',
    settings: gatewaySettings,
    env,
    start: (context) => start(env, context, { api: [...endpoints, ...webSockets] }),
    isUnavailable,
  })
}

interface Seen {
  method: string
  url: string
  headers: IncomingMessage['headers']
  body: string
  isUpgrade: boolean
}

/** A ready instance that accepts WebSockets and sends each short message back. */
export async function serveEcho() {
  const seen: Seen[] = []
  const sockets = new Set<Duplex>()
  const note = ({ method = '', url = '', headers }: IncomingMessage, isUpgrade: boolean) => {
    if (url !== '/readyz') seen.push({ method, url, headers, body: '', isUpgrade })
  }
  const server = createServer((req, res) => {
    note(req, false)
    res.end('{"plain":true}')
  })
  server.on('upgrade', (req: IncomingMessage, socket: Duplex) => {
    note(req, true)
    sockets.add(socket)
    const key = `${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${createHash('sha1').update(key).digest('base64')}\r\n\r\n`,
    )
    socket.on('data', (frame: Buffer) => {
      socket.write(unmasked(frame))
      if (((frame[0] ?? 0) & 15) === CLOSE) socket.end()
    })
    socket.on('error', () => socket.destroy()).on('end', () => socket.end())
  })
  const { origin, [Symbol.asyncDispose]: end } = await listen(server)
  return {
    origin,
    seen,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await end()
    },
  }
}

/** Returns one short frame of a client as a frame of a server (RFC 6455 5.3). */
function unmasked(frame: Buffer): Buffer {
  const [first = 0, second = 0] = frame
  const mask = frame.subarray(2, 6)
  const text = frame.subarray(6, 6 + (second & 127)).map((byte, i) => byte ^ (mask[i % 4] ?? 0))
  return Buffer.concat([Buffer.from([first, second & 127]), text])
}
