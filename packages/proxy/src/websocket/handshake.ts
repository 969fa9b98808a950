import { createHash } from 'node:crypto'
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ResponseHead } from '../client/head.ts'
import type { ProxyProblemCode } from '../problem.ts'
import { hasBody } from '../raw-headers.ts'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** How long a client that was refused may take to close its connection. */
const CLOSING_MS = 2_000

/**
 * Whether a request asks for a WebSocket. Pass it as `shouldUpgradeCallback` to `createServer`:
 * otherwise node:http treats each `Upgrade` as one, and does not answer it as a plain request.
 */
export function isWebSocketUpgrade(req: IncomingMessage): boolean {
  return req.headers.upgrade?.toLowerCase() === 'websocket'
}

/** Checks a handshake (RFC 6455 4.2.1). Returns the reason if it is refused. */
export function checkHandshake(req: IncomingMessage): ProxyProblemCode | undefined {
  const { headers, rawHeaders } = req
  const isHandshake =
    req.method === 'GET' &&
    req.httpVersion === '1.1' &&
    headers.host !== undefined &&
    isWebSocketUpgrade(req) &&
    hasToken(headers.connection, 'upgrade') &&
    !hasBody(req)
  if (!isHandshake) return 'bad_handshake'
  if (headers['sec-websocket-version'] !== '13') return 'bad_websocket_version'
  const names = rawHeaders.filter((name, i) => i % 2 === 0 && isKeyName(name))
  const key = headers['sec-websocket-key'] ?? ''
  // The encoding of 16 bytes. node:http joins repeated fields.
  if (names.length !== 1 || !/^[A-Za-z0-9+/]{21}[AQgw]==$/.test(key)) return 'bad_handshake'
  return undefined
}

/** Whether the instance has accepted the handshake (RFC 6455 4.1). */
export function isAccepted(req: IncomingMessage, head: ResponseHead): boolean {
  // A repeated field is joined, so that it is refused.
  if (head.statusCode !== 101 || head.get('sec-websocket-accept') !== acceptOf(req)) return false
  if (head.get('upgrade')?.toLowerCase() !== 'websocket') return false
  if (!hasToken(head.get('connection'), 'upgrade')) return false
  const protocol = head.get('sec-websocket-protocol')
  return protocol === undefined || hasToken(req.headers['sec-websocket-protocol'], protocol)
}

function acceptOf(req: IncomingMessage): string {
  const key = String(req.headers['sec-websocket-key'])
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64')
}

function isKeyName(name: string): boolean {
  return name.toLowerCase() === 'sec-websocket-key'
}

function hasToken(list: string | undefined, token: string): boolean {
  const wanted = token.trim().toLowerCase()
  return list?.split(',').some((each) => each.trim().toLowerCase() === wanted) ?? false
}

/**
 * Connects the response of a request to upgrade with its socket, for a refusal. The connection closes
 * after it. The response emits `close` when the socket is closed, also at the end of a WebSocket.
 * @param socket the socket of the `upgrade` event
 * @param res a response without a socket; a new one by default
 */
export function respondToUpgrade(
  req: IncomingMessage,
  socket: Duplex,
  res: ServerResponse = new ServerResponse(req),
): ServerResponse {
  res.shouldKeepAlive = false
  // With an incomplete body, `socket` is a stream in front of the connection.
  const connection = req.socket
  const onDrain = (): void => void res.emit('drain')
  // Without a listener an error would end the process.
  for (const each of new Set([socket, connection])) each.on('error', () => connection.destroy())
  connection.on('drain', onDrain)
  res.assignSocket(connection)
  // node:http emits it only while the response has the socket.
  connection.once('close', () => void (res.closed || res.emit('close')))
  res.once('finish', () => {
    connection.off('drain', onDrain)
    res.detachSocket(connection)
    // Without a reader, the end of the client is not noticed.
    connection.resume().end()
    const timer = setTimeout(() => connection.destroy(), CLOSING_MS)
    connection.once('close', () => clearTimeout(timer))
  })
  return res
}
