import { ClientError } from './client-error.ts'
import { malformed, parseFields, ResponseHead } from './head.ts'

const LF = 10
const CR = 13
const MAX_TRAILER_BYTES = 16_384
const MAX_LINE_BYTES = 256

/** RFC 9112 7.1: the size in hexadecimal digits, and extensions without quoted text. */
const SIZE_LINE =
  /^([0-9A-Fa-f]{1,8})(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=[!#$%&'*+\-.^_`|~0-9A-Za-z]+)?)*\r\n$/

/** The place within a chunked body. */
const SIZE = 0
const DATA = 1
const DATA_END = 2
const TRAILERS = 3

/**
 * Reads a chunked body (RFC 9112 7.1) that arrives in parts. Lines end with CRLF, and a size has at
 * most eight digits. Trailers are checked and dropped.
 */
export class ChunkedBody {
  isComplete = false
  readonly #onData: (chunk: Buffer) => void
  #state = SIZE
  /** Bytes of the present chunk that are missing. */
  #left = 0
  /** The part of a line or of the trailers that has arrived. */
  #text = ''

  constructor(onData: (chunk: Buffer) => void) {
    this.#onData = onData
  }

  /**
   * Reads from `at` to the end of the body or of the bytes.
   * @returns the place after the last byte of the body
   * @throws ClientError `bad_response` or `head_too_large`
   */
  read(bytes: Buffer, start: number): number {
    let at = start
    while (at < bytes.length && !this.isComplete) {
      if (this.#state === DATA) at = this.#readData(bytes, at)
      else at = this.#readLine(bytes, at)
    }
    return at
  }

  #readData(bytes: Buffer, at: number): number {
    const end = Math.min(at + this.#left, bytes.length)
    this.#left -= end - at
    if (this.#left === 0) this.#state = DATA_END
    this.#onData(bytes.subarray(at, end))
    return end
  }

  #readLine(bytes: Buffer, at: number): number {
    const lineFeed = bytes.indexOf(LF, at)
    const end = lineFeed < 0 ? bytes.length : lineFeed + 1
    const isTrailer = this.#state === TRAILERS
    if (this.#text.length + end - at > (isTrailer ? MAX_TRAILER_BYTES : MAX_LINE_BYTES)) {
      if (isTrailer) throw new ClientError('head_too_large', 'the trailers are larger than 16 KiB')
      throw malformed('a line of a chunk is too long')
    }
    this.#text += bytes.toString('latin1', at, end)
    if (this.#state === DATA_END && !'\r\n'.startsWith(this.#text)) {
      throw malformed('a chunk is longer than its size')
    }
    if (lineFeed >= 0) this.#endLine()
    return end
  }

  #endLine(): void {
    const text = this.#text
    if (text.charCodeAt(text.length - 2) !== CR) throw malformed('a line of a chunk has a bare LF')
    if (this.#state === TRAILERS) {
      // The first line, or a line after other ones, is empty.
      if (text !== '\r\n' && !text.endsWith('\r\n\r\n')) return
      const trailers = new ResponseHead()
      parseFields(text, 0, trailers)
      // RFC 9110 6.5.1: fields of the framing must not follow the body.
      if (trailers.contentLength >= 0 || trailers.isChunked || !trailers.isPersistent) {
        throw malformed('its trailers change the framing')
      }
      this.isComplete = true
    } else if (this.#state === DATA_END) {
      this.#state = SIZE
    } else {
      this.#left = sizeOf(text)
      this.#state = this.#left === 0 ? TRAILERS : DATA
    }
    this.#text = ''
  }
}

function sizeOf(line: string): number {
  const digits = SIZE_LINE.exec(line)?.[1]
  if (digits === undefined) throw malformed('the size of a chunk is no number')
  return Number.parseInt(digits, 16)
}
