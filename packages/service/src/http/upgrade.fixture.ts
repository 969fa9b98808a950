import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** A close frame with the code 1012: the service restarts. */
export const RESTART = Buffer.from([0x88, 2, 0x03, 0xf4])

/** Accepts the handshake of a WebSocket (RFC 6455 4.2.2). */
export function acceptUpgrade(req: IncomingMessage, res: ServerResponse, socket: Duplex): void {
  const key = `${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
  const digest = createHash('sha1').update(key).digest('base64')
  res.statusCode = 101
  socket
    .resume()
    .write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${digest}\r\n\r\n`,
    )
}
