import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { ClientError } from './client-error.ts'

/** The connection on which a body is written. */
export interface BodyOwner {
  /** The instance reads slower than the body arrives, or no longer does. */
  onBodyBlocked(isBlocked: boolean): void
  onBodyWritten(): void
  onBodyFailed(error: Error): void
}

/** Writes a streamed body of a request. A slow instance pauses the stream. */
export class BodyWriter {
  readonly #socket: Socket
  readonly #body: Readable
  readonly #owner: BodyOwner
  /** Bytes that are missing; -1 for chunks. */
  #left: number
  readonly #onData = (chunk: Buffer): void => this.#write(chunk)
  readonly #onEnd = (): void => this.#end()
  readonly #onError = (error: Error): void => this.#fail(error)
  readonly #onClose = (): void =>
    this.#fail(new ClientError('closed', 'the body of the request broke off'))
  readonly #onDrain = (): void => this.#resume()

  /** @param bodyBytes the length of the body; -1 for chunks */
  constructor(socket: Socket, body: Readable, bodyBytes: number, owner: BodyOwner) {
    this.#socket = socket
    this.#body = body
    this.#left = bodyBytes
    this.#owner = owner
  }

  start(): void {
    this.#socket.on('drain', this.#onDrain)
    this.#body
      .on('error', this.#onError)
      .on('close', this.#onClose)
      .on('end', this.#onEnd)
      .on('data', this.#onData)
    // A stream with room for bytes reads them now, and not in the next tick.
    this.#body.read(0)
  }

  /** Stops writing. The rest of the body is not read. */
  destroy(): void {
    this.#detach()
    this.#body.destroy()
  }

  #write(chunk: Buffer): void {
    const socket = this.#socket
    if (chunk.length === 0) return
    if (this.#left < 0) {
      socket.cork()
      socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
      socket.write(chunk)
      socket.write('\r\n', 'latin1')
      socket.uncork()
    } else {
      // Bytes beyond the length would be the next request for the instance.
      if (chunk.length > this.#left) return this.#fail(wrongLength())
      this.#left -= chunk.length
      socket.write(chunk)
    }
    if (!socket.writableNeedDrain) return
    this.#body.pause()
    this.#owner.onBodyBlocked(true)
  }

  #resume(): void {
    this.#owner.onBodyBlocked(false)
    this.#body.resume()
  }

  #end(): void {
    if (this.#left > 0) return this.#fail(wrongLength())
    this.#detach()
    if (this.#left < 0) this.#socket.write('0\r\n\r\n', 'latin1')
    this.#owner.onBodyWritten()
  }

  #fail(error: Error): void {
    this.#detach()
    this.#owner.onBodyFailed(error)
  }

  #detach(): void {
    this.#socket.off('drain', this.#onDrain)
    // The listener for errors stays: without one, a later error would end the process.
    this.#body.off('close', this.#onClose).off('end', this.#onEnd).off('data', this.#onData)
    this.#body.off('error', this.#onError).on('error', ignore)
  }
}

function ignore(): void {
  // The request has its outcome.
}

function wrongLength(): ClientError {
  return new ClientError('invalid_request', 'the body of the request has another length')
}
