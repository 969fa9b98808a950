import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ResponseHead } from '../client/head.ts'
import type { RawHeaders } from '../raw-headers.ts'
import { isAccepted } from './handshake.ts'
import { Tunnel } from './tunnel.ts'

export interface UpgradeOptions {
  req: IncomingMessage
  res: ServerResponse
  socket: Duplex
  /** The first bytes of the client after its handshake. */
  head: Buffer
  idleMs: number
  onOpen: (upgrade: Upgrade) => void
  onIdle: (upgrade: Upgrade) => void
  onClose: (upgrade: Upgrade) => void
}

/** The client of a WebSocket, before and after the instance has accepted. */
export class Upgrade {
  readonly #options: UpgradeOptions
  #tunnel: Tunnel | undefined

  constructor(options: UpgradeOptions) {
    this.#options = options
  }

  isAcceptedBy(head: ResponseHead): boolean {
    return isAccepted(this.#options.req, head)
  }

  /**
   * Accepts the handshake of the client, and connects it with the instance.
   * @param onClose called once, when both sockets are closed
   */
  open(headers: RawHeaders, instance: Duplex, onClose: () => void): void {
    const { req, res, socket, head, idleMs, onOpen, onIdle } = this.#options
    res.detachSocket(req.socket)
    // For the log of the application: the response itself is not written.
    res.statusCode = 101
    socket.write(headOf(headers), 'latin1')
    this.#tunnel = new Tunnel(socket, instance, () => {
      onClose()
      this.#options.onClose(this)
    })
    this.#tunnel.receive(head)
    // The socket of the client also sees the bytes of the instance.
    if (socket instanceof Socket) socket.setTimeout(idleMs, () => onIdle(this))
    onOpen(this)
  }

  close(code: number): void {
    this.#tunnel?.close(code)
  }
}

function headOf(headers: RawHeaders): string {
  let head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
  return `${head}\r\n`
}
