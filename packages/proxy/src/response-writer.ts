import type { ServerResponse } from 'node:http'
import type { ResponseSource } from './attempt/attempt.ts'
import type { ResponseHead } from './client/head.ts'
import type { RawHeaders } from './raw-headers.ts'
import { headersOf, isFinalStatus, reasonOf } from './response-head.ts'

const smallBodyBytes = 16_384

/** The exchange to which a response belongs. */
export interface ResponseOwner {
  /** Changes the headers in place before they are sent. */
  changeResponse(headers: RawHeaders, statusCode: number): void
  /** Receives an error that occurs outside of a call. */
  onFault(error: unknown): void
}

/** Responses whose head is written after the bytes that the parser has read. */
const unflushed: ResponseWriter[] = []

/** Writes the response of an instance to the client. Methods throw the errors of node:http. */
export class ResponseWriter {
  readonly #res: ServerResponse
  readonly #owner: ResponseOwner
  #isFlushed = false
  /** The client reads slower than the instance sends. */
  #isWaiting = false
  #length = -1

  constructor(res: ServerResponse, owner: ResponseOwner) {
    this.#res = res
    this.#owner = owner
  }

  start(head: ResponseHead): void {
    const { statusCode } = head
    if (!isFinalStatus(statusCode)) throw new RangeError(`${statusCode} is no HTTP status`)
    const res = this.#res
    const headers = headersOf(head)
    const before = res.getHeaderNames()
    try {
      this.#owner.changeResponse(headers, statusCode)
      res.writeHead(statusCode, reasonOf(head), headers)
    } catch (error) {
      // `writeHead` may have set fields that do not belong to the problem that follows.
      for (const name of res.getHeaderNames()) if (!before.includes(name)) res.removeHeader(name)
      // node:http caches the length, and would send it with the problem.
      res.removeHeader('content-length')
      throw error
    }
    this.#length = head.contentLength
    // The parser emits all bytes that it has read before a microtask runs. So a head that arrives
    // with its body is written together with it, and a head that arrives alone is written now.
    if (unflushed.push(this) === 1) queueMicrotask(flushAll)
  }

  /** @param chunk is valid during the call only */
  write(source: ResponseSource, chunk: Buffer): void {
    const res = this.#res
    const isFirst = !this.#isFlushed
    this.#isFlushed = true
    if (isFirst && chunk.length === this.#length && chunk.length <= smallBodyBytes) {
      // node:http joins a string to the head. A Buffer would need a second write.
      res.end(chunk.toString('latin1'), 'latin1')
    } else if (!res.write(Buffer.from(chunk)) && !this.#isWaiting) {
      this.#isWaiting = true
      source.pause()
      res.once('drain', () => {
        this.#isWaiting = false
        source.resume()
      })
    }
  }

  end(): void {
    if (!this.#res.writableEnded) this.#res.end()
  }

  flush(): void {
    try {
      if (!this.#isFlushed && !this.#res.writableEnded) this.#res.flushHeaders()
      this.#isFlushed = true
    } catch (error) {
      this.#owner.onFault(error)
    }
  }
}

function flushAll(): void {
  for (const writer of unflushed.splice(0)) writer.flush()
}
