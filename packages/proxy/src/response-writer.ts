import type { ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import type { RawHeaders } from './raw-headers.ts'
import { headersOf, isFinalStatus, reasonOf } from './response-head.ts'

const smallBodyBytes = 16_384

export interface ResponseWriterOptions {
  res: ServerResponse
  onResponseHeaders: (headers: RawHeaders, statusCode: number) => void
  /** Receives an error of a callback of this writer. */
  onFault: (error: unknown) => void
}

/** Writes the response of an instance to the client. Methods throw the errors of node:http. */
export class ResponseWriter {
  readonly #options: ResponseWriterOptions
  #isFlushed = false
  #length = -1

  constructor(options: ResponseWriterOptions) {
    this.#options = options
  }

  start(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    parsed: Record<string, string | string[] | undefined>,
    statusMessage?: string,
  ): void {
    if (!isFinalStatus(statusCode)) throw new RangeError(`${statusCode} is no HTTP status`)
    const { res, onResponseHeaders, onFault } = this.#options
    const headers = headersOf(controller.rawHeaders, parsed)
    const before = res.getHeaderNames()
    try {
      onResponseHeaders(headers, statusCode)
      res.writeHead(statusCode, reasonOf(statusCode, statusMessage), headers)
    } catch (error) {
      // `writeHead` may have set fields that do not belong to the problem that follows.
      for (const name of res.getHeaderNames()) if (!before.includes(name)) res.removeHeader(name)
      // node:http caches the length, and would send it with the problem.
      res.removeHeader('content-length')
      throw error
    }
    this.#length = Number(parsed['content-length'] ?? -1)
    res.on('drain', () => controller.resume())
    // The parser emits all bytes that it has read before a microtask runs. So a head that arrives
    // with its body is written together with it, and a head that arrives alone is written now.
    queueMicrotask(() => {
      try {
        if (!this.#isFlushed && !res.writableEnded) res.flushHeaders()
        this.#isFlushed = true
      } catch (error) {
        onFault(error)
      }
    })
  }

  write(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { res } = this.#options
    const isFirst = !this.#isFlushed
    this.#isFlushed = true
    if (isFirst && chunk.length === this.#length && chunk.length <= smallBodyBytes) {
      // node:http joins a string to the head. A Buffer would need a second write.
      res.end(chunk.toString('latin1'), 'latin1')
    } else if (!res.write(chunk)) {
      controller.pause()
    }
  }

  end(): void {
    const { res } = this.#options
    if (!res.writableEnded) res.end()
  }
}
