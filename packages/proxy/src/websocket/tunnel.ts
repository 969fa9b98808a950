import type { Duplex } from 'node:stream'
import { closeFrame, Frames } from './frames.ts'

const CLOSING_MS = 2_000

/** One direction of a tunnel. */
interface Direction {
  from: Duplex
  to: Duplex
  frames: Frames
  /** Frames to a server are masked. */
  isMasked: boolean
  /** The code of the close frame that follows the present frame. */
  closeCode: number | undefined
  /** The proxy has sent a close frame, and discards the rest. */
  isClosed: boolean
}

/**
 * The bytes of a WebSocket between a client and an instance, unchanged. A slow receiver pauses the
 * sender. A close frame of the proxy never stands within another frame.
 */
export class Tunnel {
  readonly #client: Duplex
  readonly #instance: Duplex
  readonly #directions: readonly Direction[]
  readonly #onClose: () => void
  #openSockets = 2
  #timer: NodeJS.Timeout | undefined

  /** @param onClose called once, when both sockets are closed */
  constructor(client: Duplex, instance: Duplex, onClose: () => void) {
    this.#client = client
    this.#instance = instance
    this.#onClose = onClose
    this.#directions = [
      createDirection(client, instance, true),
      createDirection(instance, client, false),
    ]
    for (const direction of this.#directions) this.#connect(direction)
  }

  /** Sends bytes of the client that arrived with its handshake. */
  receive(head: Buffer): void {
    const [fromClient] = this.#directions
    if (fromClient && head.length > 0) this.#forward(fromClient, head)
  }

  /** Sends a close frame in both directions, and closes the sockets after the client has answered. */
  close(code: number): void {
    for (const direction of this.#directions) {
      direction.closeCode ??= code
      if (direction.frames.isBetween) sendClose(direction)
    }
    this.#timer ??= setTimeout(() => this.destroy(), CLOSING_MS)
  }

  destroy(): void {
    this.#client.destroy()
    this.#instance.destroy()
  }

  #connect(direction: Direction): void {
    const { from, to } = direction
    from
      .on('data', (chunk: Buffer) => this.#forward(direction, chunk))
      .on('end', () => to.end())
      .on('error', () => from.destroy())
      .on('close', () => this.#socketClosed(from, to))
    to.on('drain', () => from.resume())
  }

  #forward(direction: Direction, chunk: Buffer): void {
    const { from, to, frames, closeCode, isClosed } = direction
    const isClosing = closeCode !== undefined && !isClosed
    const length = frames.follow(chunk, isClosing)
    if (!isClosed && to.writable) {
      const isFull = !to.write(length < chunk.length ? chunk.subarray(0, length) : chunk)
      if (isFull) from.pause()
    }
    if (isClosing && frames.isBetween) sendClose(direction)
    // The client has answered the close frame (RFC 6455 7.1.1).
    if (isClosed && frames.hasClose && from === this.#client) this.#end()
  }

  #end(): void {
    this.#client.end()
    this.#instance.end()
  }

  #socketClosed(from: Duplex, to: Duplex): void {
    // A socket that breaks off also breaks off on the other side. One that ended has sent all.
    if (!from.readableEnded) to.destroy()
    else to.end()
    this.#openSockets -= 1
    // The other socket sends its rest, and cannot stay half open.
    this.#timer ??= setTimeout(() => this.destroy(), CLOSING_MS)
    if (this.#openSockets > 0) return
    clearTimeout(this.#timer)
    this.#onClose()
  }
}

function createDirection(from: Duplex, to: Duplex, isMasked: boolean): Direction {
  const frames = new Frames()
  return { from, to, frames, isMasked, closeCode: undefined, isClosed: false }
}

/** Sends the close frame of the proxy, unless the sender has sent one. */
function sendClose(direction: Direction): void {
  const { to, frames, isMasked, closeCode, isClosed } = direction
  if (closeCode === undefined || isClosed) return
  direction.isClosed = true
  if (!frames.hasClose && to.writable) to.write(closeFrame(closeCode, isMasked))
}
