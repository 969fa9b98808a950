import { createHash } from 'node:crypto'
import { type IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ParsedHeaders } from '../attempt/attempt.ts'
import { ProxyError } from '../options.ts'
import type { ProxyProblemCode } from '../problem.ts'
import { hasBody } from '../raw-headers.ts'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

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
export function isAccepted(req: IncomingMessage, statusCode: number, head: ParsedHeaders): boolean {
  if (statusCode !== 101 || head['sec-websocket-accept'] !== acceptOf(req)) return false
  const upgrade = head['upgrade']
  if (typeof upgrade !== 'string' || upgrade.toLowerCase() !== 'websocket') return false
  const protocol = head['sec-websocket-protocol']
  if (protocol === undefined) return true
  return typeof protocol === 'string' && hasToken(req.headers['sec-websocket-protocol'], protocol)
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
 * Creates the response of a request to upgrade, for a refusal. The connection closes after it.
 * @param socket the socket of the `upgrade` event
 */
export function respondToUpgrade(req: IncomingMessage, socket: Duplex): ServerResponse {
  const res = new ServerResponse(req)
  res.shouldKeepAlive = false
  const onDrain = (): void => void res.emit('drain')
  // Without a listener an error of the socket would end the process.
  socket.on('error', () => socket.destroy()).on('drain', onDrain)
  res.assignSocket(toSocket(socket))
  res.once('finish', () => {
    socket.off('drain', onDrain)
    releaseSocket(res, socket)
    socket.end()
  })
  return res
}

/** Separates a response that was not written from its socket. */
export function releaseSocket(res: ServerResponse, socket: Duplex): void {
  res.detachSocket(toSocket(socket))
}

/** node:http types the socket as any stream, for servers that emit `connection`. */
function toSocket(socket: Duplex): Socket {
  if (socket instanceof Socket) return socket
  throw new ProxyError('socket must be the socket of a connection')
}
