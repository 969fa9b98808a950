import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { ProxyProblemCode } from '../problem.ts'
import type { BodyGuard, GuardedBody } from './body-guard.ts'
import { GrowingBuffer } from './growing-buffer.ts'

const lingerMs = 2_000
const mostAheadBytes = 65_536

/**
 * Reads and discards the rest of a refused request, so that a TCP reset does not discard the response
 * while the client still writes. A client that writes for longer than 2 s is cut off.
 */
export function discardRest(req: IncomingMessage): void {
  if (req.complete || req.destroyed) return
  req.resume()
  const timer = setTimeout(() => req.socket.destroy(), lingerMs).unref()
  req.once('close', () => clearTimeout(timer))
}

export interface RequestBodyOptions {
  maxBytes: number
  /** A body up to this size is complete before `onReady`. A larger one is a stream. */
  bufferBytes: number
  guard: BodyGuard
  client: string
  /** Called once, when the body is complete or has become a stream. */
  onReady: () => void
  /** Called once, at any time until `end`. */
  onRefused: (code: ProxyProblemCode) => void
}

/**
 * The body of a request. It is read into memory up to `bufferBytes`. Then it is either complete and
 * can be sent repeatedly, or a stream. No further byte of a stream is read before a connection requests
 * it. The client of the instance can destroy the stream without the socket of the sender.
 */
export class RequestBody implements GuardedBody {
  readonly client: string
  memberIndex = -1
  isAwaited = true
  windowBytes = 0
  windowMs = -1
  /** The whole body, if it is not larger than `bufferBytes`. */
  complete: Buffer | undefined
  stream: Readable | undefined
  /** A connection has read from the stream, so the request cannot be sent a second time. */
  isStarted = false
  readonly #req: IncomingMessage
  readonly #options: RequestBodyOptions
  readonly #buffer: GrowingBuffer
  readonly #onData = (chunk: Buffer): void => this.#receive(chunk)
  readonly #onEnd = (): void => this.#finish()
  #receivedBytes = 0
  #reservedBytes = 0
  #isStreamed = false
  #isEnded = false

  constructor(req: IncomingMessage, options: RequestBodyOptions) {
    this.#req = req
    this.#options = options
    this.client = options.client
    this.#buffer = new GrowingBuffer(options.bufferBytes)
    options.guard.enter(this)
    req.on('data', this.#onData).on('end', this.#onEnd)
  }

  /** Refuses the body. `onRefused` responds to the client and ends the exchange. */
  refuse(code: ProxyProblemCode): void {
    if (this.#isEnded) return
    this.end()
    this.#options.onRefused(code)
  }

  /** Releases the memory, and stops reading. The exchange calls it when it ends. */
  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    const { guard } = this.#options
    this.#detach()
    guard.release(this.#reservedBytes)
    if (this.#isStreamed) guard.leaveStream(this.client)
    this.complete = undefined
    this.#buffer.clear()
    this.stream?.destroy()
  }

  #receive(chunk: Buffer): void {
    this.#receivedBytes += chunk.length
    this.windowBytes += chunk.length
    if (this.#receivedBytes > this.#options.maxBytes) return this.refuse('body_too_large')
    if (this.stream) return this.#push(this.stream, chunk)
    if (this.#receivedBytes > this.#options.bufferBytes) return this.#becomeStream(chunk)
    const bytes = this.#buffer.bytesToAdd(chunk.length)
    if (!this.#reserve(bytes)) return this.refuse('overloaded')
    this.#buffer.append(chunk)
  }

  #finish(): void {
    this.#detach()
    this.isAwaited = false
    if (this.stream) {
      this.stream.push(null)
      return
    }
    this.complete = this.#buffer.bytes()
    this.#options.onReady()
  }

  #becomeStream(chunk: Buffer): void {
    const { guard, bufferBytes, onReady } = this.#options
    const refusal = guard.enterStream(this.client)
    if (refusal) return this.refuse(refusal)
    this.#isStreamed = true
    this.isAwaited = false
    this.#req.pause()
    this.stream = new Readable({
      // Below the size of its first chunk: otherwise `read` is called before a connection reads.
      highWaterMark: Math.min(Math.max(bufferBytes, 1), mostAheadBytes),
      read: () => this.#read(),
      destroy: (_error, done) => {
        // The error is not emitted: the exchange has it.
        this.#detach()
        discardRest(this.#req)
        done(null)
      },
    })
    const buffered = this.#buffer.bytes()
    // One chunk: the first read takes all of it, and so calls `read`.
    this.stream.push(buffered.length > 0 ? Buffer.concat([buffered, chunk]) : chunk)
    onReady()
  }

  /** Called when a connection can send more. */
  #read(): void {
    this.isStarted = true
    this.#buffer.clear()
    this.isAwaited = true
    this.#req.resume()
  }

  #push(stream: Readable, chunk: Buffer): void {
    if (stream.push(chunk)) return
    this.isAwaited = false
    this.#req.pause()
  }

  #reserve(bytes: number): boolean {
    if (bytes > 0 && !this.#options.guard.reserve(bytes)) return false
    this.#reservedBytes += bytes
    return true
  }

  #detach(): void {
    this.#options.guard.leave(this)
    this.#req.off('data', this.#onData).off('end', this.#onEnd)
  }
}
