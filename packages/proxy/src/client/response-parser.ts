import { ChunkedBody } from './chunks.ts'
import { ClientError } from './client-error.ts'
import { malformed, parseHead, type ResponseHead } from './head.ts'

const MAX_HEAD_BYTES = 16_384
const LF = 10
const CR = 13
const HEAD_END = Buffer.from('\r\n\r\n')
const VERSION = Buffer.from('HTTP/1.')

/** The part of a response that is expected next. */
const NOTHING = 0
const HEAD = 1
const LENGTH = 2
const CHUNKS = 3
const UNTIL_CLOSE = 4
/** The protocol has changed: the bytes are no HTTP. */
const UPGRADED = 5

/** Receives the parts of the responses of one connection. */
export interface ResponseSink {
  /** A response with 1xx, except an accepted upgrade. */
  onInformation(head: ResponseHead): void
  onHead(head: ResponseHead): void
  /** The bytes are valid during the call only. */
  onData(chunk: Buffer): void
  /** @param isReusable whether the end of the response is certain, so that another request can follow */
  onEnd(isReusable: boolean): void
  /** @param rest the bytes after the head */
  onUpgrade(head: ResponseHead, rest: Buffer): void
}

/** Reads the responses of one connection, one at a time. Bytes that no request expects are an error. */
export class ResponseParser {
  readonly #sink: ResponseSink
  #state = NOTHING
  #method = ''
  #isUpgrade = false
  #isReusable = false
  /** Bytes of the body that are missing. */
  #left = 0
  #chunks: ChunkedBody | undefined
  /** The part of a head that has arrived. */
  #held: Buffer | undefined
  #heldBytes = 0

  constructor(sink: ResponseSink) {
    this.#sink = sink
  }

  /** Expects the response of a request. Call it only at first and after `onEnd`. */
  expect(method: string, isUpgrade: boolean): void {
    this.#state = HEAD
    this.#method = method
    this.#isUpgrade = isUpgrade
  }

  /**
   * Reads bytes. The sink is called synchronously, and may throw.
   * @throws ClientError `bad_response` or `head_too_large`
   */
  read(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length && this.#state !== UPGRADED) {
      switch (this.#state) {
        case HEAD:
          at = this.#readHead(bytes, at)
          break
        case LENGTH:
          at = this.#readLength(bytes, at)
          break
        case CHUNKS:
          at = this.#readChunks(bytes, at)
          break
        case UNTIL_CLOSE:
          this.#sink.onData(at === 0 ? bytes : bytes.subarray(at))
          return
        default:
          throw malformed('bytes arrived that no request expects')
      }
    }
  }

  /** The connection has ended. @throws ClientError `closed` if a response is incomplete */
  finish(): void {
    if (this.#state === UNTIL_CLOSE) return this.#end(false)
    if (this.#state === NOTHING || this.#state === UPGRADED) return
    const part = this.#state === HEAD && this.#heldBytes === 0 ? 'before' : 'within'
    throw new ClientError('closed', `the connection was closed ${part} the response`)
  }

  #readHead(bytes: Buffer, start: number): number {
    if (this.#held) return this.#readHeld(bytes, start)
    const end = bytes.indexOf(HEAD_END, start)
    if (end < 0) return this.#hold(bytes, start)
    const next = end + HEAD_END.length
    if (next - start > MAX_HEAD_BYTES) throw tooLarge()
    this.#useHead(parseHead(bytes.toString('latin1', start, next)), bytes, next)
    return next
  }

  /** Copies the part of a head: the bytes are valid during the call only. */
  #hold(bytes: Buffer, start: number): number {
    this.#held = Buffer.allocUnsafeSlow(MAX_HEAD_BYTES)
    this.#heldBytes = 0
    return this.#readHeld(bytes, start)
  }

  #readHeld(bytes: Buffer, start: number): number {
    const held = this.#held ?? Buffer.alloc(0)
    const before = this.#heldBytes
    const copied = bytes.copy(held, before, start)
    this.#heldBytes += copied
    const part = held.subarray(0, this.#heldBytes)
    const end = part.indexOf(HEAD_END, Math.max(0, before - HEAD_END.length + 1))
    if (end < 0) {
      checkPart(part, before)
      if (this.#heldBytes === MAX_HEAD_BYTES) throw tooLarge()
      return start + copied
    }
    const headBytes = end + HEAD_END.length
    this.#held = undefined
    this.#heldBytes = 0
    const next = start + headBytes - before
    this.#useHead(parseHead(part.toString('latin1', 0, headBytes)), bytes, next)
    return next
  }

  #useHead(head: ResponseHead, bytes: Buffer, next: number): void {
    const { statusCode } = head
    if (statusCode >= 100 && statusCode < 200) return this.#inform(head, bytes, next)
    this.#isReusable = head.isPersistent
    const isBodiless = this.#method === 'HEAD' || statusCode === 204 || statusCode === 304
    if (isBodiless) {
      // A body that follows in spite of the status must not count as the next response.
      if (head.isChunked || head.contentLength > 0) this.#isReusable = false
      this.#left = 0
      this.#state = LENGTH
    } else if (head.isChunked) {
      this.#chunks = new ChunkedBody((chunk) => this.#sink.onData(chunk))
      this.#state = CHUNKS
    } else if (head.contentLength >= 0) {
      this.#left = head.contentLength
      this.#state = LENGTH
    } else {
      this.#isReusable = false
      this.#state = UNTIL_CLOSE
    }
    this.#sink.onHead(head)
    if (this.#state === LENGTH && this.#left === 0) this.#end(this.#isReusable)
  }

  #inform(head: ResponseHead, bytes: Buffer, next: number): void {
    // RFC 9110 8.6 and RFC 9112 6.1: an informational response has neither.
    if (head.contentLength >= 0 || head.isChunked)
      throw malformed('it is informational with a body')
    if (!head.isPersistent) throw malformed('it is informational and closes the connection')
    if (head.statusCode === 101) {
      if (!this.#isUpgrade) throw malformed('it changes the protocol without a request')
      this.#state = UPGRADED
      return this.#sink.onUpgrade(head, bytes.subarray(next))
    }
    this.#sink.onInformation(head)
  }

  #readLength(bytes: Buffer, at: number): number {
    const end = Math.min(at + this.#left, bytes.length)
    this.#left -= end - at
    this.#sink.onData(bytes.subarray(at, end))
    if (this.#left === 0) this.#end(this.#isReusable)
    return end
  }

  #readChunks(bytes: Buffer, at: number): number {
    const chunks = this.#chunks
    if (!chunks) return at
    const next = chunks.read(bytes, at)
    if (chunks.isComplete) this.#end(this.#isReusable)
    return next
  }

  #end(isReusable: boolean): void {
    this.#state = NOTHING
    this.#chunks = undefined
    this.#sink.onEnd(isReusable)
  }
}

/** Refuses an incomplete head at once if no further byte can make it valid. */
function checkPart(part: Buffer, from: number): void {
  const length = Math.min(part.length, VERSION.length)
  if (part.compare(VERSION, 0, length, 0, length) !== 0) throw malformed('it has no HTTP/1 version')
  for (let at = part.indexOf(LF, from); at >= 0; at = part.indexOf(LF, at + 1)) {
    if (part[at - 1] !== CR) throw malformed('it has a bare LF')
  }
}

function tooLarge(): ClientError {
  return new ClientError('head_too_large', 'the head is larger than 16 KiB')
}
