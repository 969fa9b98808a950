import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import { problem, problemOf, type ProxyProblem } from './problem.ts'
import { namesToDrop, type RawHeaders, withoutHeaders } from './raw-headers.ts'
import { createRequestBody, type RequestBody } from './request-body.ts'
import type { Target } from './target.ts'
import type { Upstream } from './upstream.ts'

// RFC 9110 9.2.2
const idempotentMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
const smallBodyBytes = 16_384

export interface ExchangeOptions {
  req: IncomingMessage
  res: ServerResponse
  upstream: Upstream
  path: string
  headers: RawHeaders
  hasBody: boolean
  maxBodyBytes: number
  retries: number
  onResponseHeaders: (headers: RawHeaders, statusCode: number) => void
  onProblem: (problem: ProxyProblem) => void
}

/**
 * One request on its way through the proxy: the handler of undici's events over all its attempts.
 * It is its own handler, and not a closure per event, because this is the hot path.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions
  readonly #body: RequestBody | undefined
  readonly #tried: Target[] = []
  #target: Target | undefined
  #controller: Dispatcher.DispatchController | undefined
  #wasSent = false
  #isDone = false
  #isTooLarge = false
  #isClientGone = false
  #isFlushed = false
  #length = -1

  constructor(options: ExchangeOptions) {
    this.#options = options
    const { req, res, hasBody, maxBodyBytes: maxBytes } = options
    if (hasBody) {
      const onTooLarge = () => (this.#isTooLarge = true)
      this.#body = createRequestBody(req, { maxBytes, onTooLarge })
    }
    res.once('close', () => {
      if (this.#isDone) return
      this.#isClientGone = true
      this.#controller?.abort(new Error('the client went away'))
    })
  }

  start(): void {
    const target = this.#options.upstream.pick()
    if (target) this.#attempt(target)
    else this.#fail(problem('no_instance'))
  }

  #attempt(target: Target): void {
    const { req, path, headers } = this.#options
    this.#target = target
    this.#tried.push(target)
    this.#wasSent = false
    this.#isDone = false
    target.inFlight += 1
    const isEventStream = req.headers.accept?.includes('text/event-stream')
    target.pool.dispatch(
      {
        method: req.method ?? 'GET',
        path,
        headers,
        body: this.#body?.stream ?? null,
        ...(isEventStream && { bodyTimeout: 0 }),
      },
      this,
    )
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#wasSent = true
    this.#controller = controller
    if (this.#isClientGone) controller.abort(new Error('the client went away'))
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    parsed: Record<string, string | string[] | undefined>,
    statusMessage?: string,
  ): void {
    if (statusCode < 200) return
    this.#target?.succeeded()
    const { res, onResponseHeaders } = this.#options
    const connection = parsed['connection']?.toString()
    const headers = withoutHeaders(decode(controller.rawHeaders), namesToDrop(connection))
    onResponseHeaders(headers, statusCode)
    this.#length = Number(parsed['content-length'] ?? -1)
    res.writeHead(statusCode, statusMessage, headers)
    res.on('drain', () => controller.resume())
    // The parser hands over what it has read before any microtask runs: a head that comes with its
    // body leaves in one write with it, a head that comes alone leaves now.
    queueMicrotask(() => {
      if (!this.#isFlushed && !res.writableEnded) res.flushHeaders()
      this.#isFlushed = true
    })
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { res } = this.#options
    const isFirst = !this.#isFlushed
    this.#isFlushed = true
    if (isFirst && chunk.length === this.#length && chunk.length <= smallBodyBytes) {
      // node:http joins a string to the head, where a Buffer would cost a second write.
      res.end(chunk.toString('latin1'), 'latin1')
    } else if (!res.write(chunk)) {
      controller.pause()
    }
  }

  onResponseEnd(): void {
    this.#settle()
    const { res } = this.#options
    if (!res.writableEnded) res.end()
  }

  onResponseError(_controller: unknown, error: Error): void {
    const target = this.#settle()
    if (this.#isClientGone) return
    if (this.#isTooLarge) return this.#fail(problem('body_too_large'))
    const found = problemOf(error, this.#wasSent)
    if (found.code !== 'bad_request') target?.failed(`${found.code}: ${error.message}`)
    const { upstream } = this.#options
    const next = this.#mayRetry(found) ? upstream.pick(this.#tried) : undefined
    if (next && upstream.allowRetry()) this.#attempt(next)
    else this.#fail(found)
  }

  /** What was not sent may go to another instance; what was sent may have run. */
  #mayRetry({ code }: ProxyProblem): boolean {
    const { req, res, retries } = this.#options
    if (res.headersSent || this.#body?.isStarted || this.#tried.length > retries) return false
    if (code === 'connect_failed') return true
    return code === 'upstream_reset' && idempotentMethods.has(req.method ?? '')
  }

  #settle(): Target | undefined {
    this.#isDone = true
    if (this.#target) this.#target.inFlight -= 1
    return this.#target
  }

  #fail(found: ProxyProblem): void {
    this.#isDone = true
    const { res, onProblem } = this.#options
    // The client must see a broken answer, never a short one.
    if (res.headersSent) res.destroy()
    else onProblem(found)
  }
}

/** undici types the raw headers for all its protocols; over HTTP/1.1 they are Buffers. */
function decode(raw: Dispatcher.DispatchController['rawHeaders']): RawHeaders {
  if (!Array.isArray(raw)) return []
  return raw.map((part) => (typeof part === 'string' ? part : part.toString('latin1')))
}
