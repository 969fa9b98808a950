import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import { Attempt, type AttemptOwner, type ParsedHeaders } from './attempt.ts'
import { problem, problemOf, type ProxyProblem, toError } from './problem.ts'
import type { RawHeaders } from './raw-headers.ts'
import { createRequestBody, type RequestBody } from './request-body.ts'
import { isWritableHead } from './response-head.ts'
import { ResponseWriter } from './response-writer.ts'
import type { Target } from './upstream/target.ts'
import type { PickContext, Upstream } from './upstream/upstream.ts'

// RFC 9110 9.2.2
const idempotentMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

export interface ExchangeOptions {
  req: IncomingMessage
  res: ServerResponse
  upstream: Upstream
  /** The part of the request that the choice of an instance depends on. */
  pickContext?: PickContext | undefined
  path: string
  headers: RawHeaders
  hasBody: boolean
  maxBodyBytes: number
  retries: number
  onResponseHeaders: (headers: RawHeaders, statusCode: number) => void
  onProblem: (problem: ProxyProblem) => void
}

/** One request in the proxy, with all its attempts. */
export class Exchange implements AttemptOwner {
  readonly #options: ExchangeOptions
  readonly #body: RequestBody | undefined
  readonly #writer: ResponseWriter
  readonly #tried: Target[] = []
  #attempt: Attempt | undefined
  /** The client has its whole response, or cannot get one. */
  #isDone = false
  #isTooLarge = false
  #isClientGone = false
  /** A callback threw an error, and the client has its response. */
  #isBroken = false
  /** A request that may have run was sent a second time. */
  #wasRepeated = false

  constructor(options: ExchangeOptions) {
    this.#options = options
    const { req, res, hasBody, maxBodyBytes: maxBytes, onResponseHeaders } = options
    const onFault = (error: unknown) => this.onFault(error)
    this.#writer = new ResponseWriter({ res, onResponseHeaders, onFault })
    if (hasBody) {
      const onTooLarge = () => (this.#isTooLarge = true)
      this.#body = createRequestBody(req, { maxBytes, onTooLarge })
    }
    // Without a listener a write to a closed connection would end the process.
    res.on('error', () => res.destroy())
    res.once('close', () => {
      if (this.#isDone) return
      this.#isClientGone = true
      this.#attempt?.abort(new Error('the client disconnected'))
    })
  }

  start(): void {
    const { upstream, pickContext } = this.#options
    const target = upstream.pick(pickContext)
    if (target) this.#send(target)
    else this.#fail(problem('no_instance'))
  }

  #send(target: Target): void {
    const { req, path, headers } = this.#options
    this.#tried.push(target)
    this.#isDone = false
    const isEventStream = req.headers.accept?.includes('text/event-stream')
    const timeout = isEventStream && { bodyTimeout: 0 }
    const [method, body] = [req.method ?? 'GET', this.#body?.stream ?? null]
    this.#attempt = new Attempt(this, target)
    this.#attempt.dispatch({ method, path, headers, body, ...timeout })
  }

  isCurrent(attempt: Attempt): boolean {
    return attempt === this.#attempt && !this.#isBroken
  }

  onHead(
    _attempt: Attempt,
    controller: Dispatcher.DispatchController,
    statusCode: number,
    parsed: ParsedHeaders,
    statusMessage?: string,
  ): void {
    try {
      this.#writer.start(controller, statusCode, parsed, statusMessage)
    } catch (error) {
      const isHookFault = isWritableHead(statusCode, controller.rawHeaders)
      this.onFault(error, isHookFault ? 'internal' : 'bad_response')
    }
  }

  onData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#writer.write(controller, chunk)
  }

  onEnd(): void {
    this.#isDone = true
    this.#writer.end()
  }

  onError(attempt: Attempt, error: Error): void {
    this.#isDone = true
    if (this.#isClientGone) return
    if (this.#isTooLarge) return this.#fail(problem('body_too_large'))
    const found = problemOf(error, attempt.wasSent)
    const isInstanceFault = found.code !== 'bad_request' && found.code !== 'bad_response'
    if (isInstanceFault) attempt.target.failed(`${found.code}: ${error.message}`)
    const next = this.#mayRetry(found) ? this.#pickNext() : undefined
    if (next) this.#send(next)
    else this.#fail(found)
  }

  #pickNext(): Target | undefined {
    const { upstream, pickContext } = this.#options
    const next = upstream.pick(pickContext, this.#tried)
    return next && upstream.allowRetry() ? next : undefined
  }

  /** A request that was not sent can go to another instance. One that was sent may have run. */
  #mayRetry({ code }: ProxyProblem): boolean {
    const { res, retries } = this.#options
    if (res.headersSent || this.#body?.isStarted || this.#tried.length > retries) return false
    if (code === 'connect_failed') return true
    if (this.#wasRepeated || !this.#isRepeatable()) return false
    this.#wasRepeated = code === 'upstream_reset' || code === 'upstream_timeout'
    return this.#wasRepeated
  }

  /** Whether the request may run twice. Requests with an idempotency key join here. */
  #isRepeatable(): boolean {
    return idempotentMethods.has(this.#options.req.method ?? '')
  }

  #fail(found: ProxyProblem): void {
    this.#isDone = true
    const { res, onProblem } = this.#options
    // The client must detect an incomplete response.
    if (res.headersSent) res.destroy()
    else onProblem(found)
  }

  /** Ends an exchange after an error of a callback, with a problem if no response has begun. */
  onFault(error: unknown, code: 'internal' | 'bad_response' = 'internal'): void {
    if (this.#isBroken) return
    this.#isBroken = true
    const cause = toError(error)
    this.#fail(problem(code, cause))
    this.#attempt?.abort(cause)
  }
}
