import type { ServerResponse } from 'node:http'
import type { ResponseSource } from './attempt/attempt.ts'
import type { ResponseHead } from './client/head.ts'
import type { WholeResponse } from './held/hold.ts'
import { type RawHeaders, replaceHeader } from './raw-headers.ts'
import { headersOf, isFinalStatus, reasonOf } from './response-head.ts'

const smallBodyBytes = 16_384
const MAX_EARLY_HINTS = 8

/** The exchange to which a response belongs. */
export interface ResponseOwner {
  /** Changes the headers in place before they are sent. */
  changeResponse(headers: RawHeaders, statusCode: number): void
  /** Receives an error that occurs outside of a call. */
  onFault(error: unknown): void
}

/** Receives the response of an instance. Methods may throw. */
export interface ResponseOutput {
  start(head: ResponseHead): void
  /** @param chunk is valid during the call only */
  write(source: ResponseSource, chunk: Buffer): void
  end(): void
}

/** Responses whose head is written after the bytes that the parser has read. */
const unflushed: ResponseWriter[] = []

/** Writes the response of an instance to the client. Methods throw the errors of node:http. */
export class ResponseWriter implements ResponseOutput {
  readonly #res: ServerResponse
  readonly #owner: ResponseOwner
  #isFlushed = false
  /** The client reads slower than the instance sends. */
  #isWaiting = false
  #length = -1
  #earlyHints = 0

  constructor(res: ServerResponse, owner: ResponseOwner) {
    this.#res = res
    this.#owner = owner
  }

  /** Whether the source is paused until the client has read. */
  get isWaiting(): boolean {
    return this.#isWaiting
  }

  get isDisconnected(): boolean {
    return this.#res.destroyed
  }

  /** Whether the client is connected, and no response has begun. */
  get canBegin(): boolean {
    return !this.#res.headersSent && !this.#res.destroyed
  }

  /** Sends the links of a 103 (RFC 8297), at most eight times. */
  hint(head: ResponseHead): void {
    const res = this.#res
    const link = head.get('link')
    this.#earlyHints += 1
    const isAllowed = res.req.httpVersion === '1.1' && this.#earlyHints <= MAX_EARLY_HINTS
    if (link === undefined || !isAllowed || res.headersSent) return
    try {
      res.writeEarlyHints({ link: link.split(/,\s*(?=<)/) })
    } catch {
      // The links are malformed. A client needs no hint.
    }
  }

  start(head: ResponseHead, headers = headersOf(head)): void {
    this.#writeHead(head.statusCode, headers, reasonOf(head))
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

  /** Sends a response that is in memory, unless the client has disconnected. */
  send({ statusCode, headers, body }: WholeResponse): void {
    if (!this.canBegin) return
    this.#isFlushed = true
    // RFC 9110 8.6: a 204 has no length, and that of a 304 is the length of another response.
    if (statusCode !== 204 && statusCode !== 304) {
      replaceHeader(headers, 'Content-Length', String(body.length))
    }
    this.#writeHead(statusCode, headers)
    this.#res.end(body)
  }

  /** Sends a response of the application, unless the client has disconnected. */
  sendBy(write: (res: ServerResponse) => void): void {
    if (!this.canBegin) return
    this.#isFlushed = true
    write(this.#res)
  }

  #writeHead(statusCode: number, headers: RawHeaders, reason?: string): void {
    if (!isFinalStatus(statusCode)) throw new RangeError(`${statusCode} is no HTTP status`)
    const res = this.#res
    const before = res.getHeaderNames()
    try {
      this.#owner.changeResponse(headers, statusCode)
      res.writeHead(statusCode, reason, headers)
    } catch (error) {
      // `writeHead` may have set fields that do not belong to the problem that follows.
      for (const name of res.getHeaderNames()) if (!before.includes(name)) res.removeHeader(name)
      // node:http caches the length, and would send it with the problem.
      res.removeHeader('content-length')
      throw error
    }
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
