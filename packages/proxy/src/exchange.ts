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
  /** The attempt whose events count. */
  #attempt: Attempt | undefined
  /** A second attempt beside it, until one of them has the head of a response. */
  #hedge: Attempt | undefined
  #hedgeTimer: NodeJS.Timeout | undefined
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
      this.#abort(new Error('the client disconnected'))
    })
  }

  start(): void {
    const { upstream, pickContext } = this.#options
    const refusal = upstream.admit()
    if (refusal) return this.#fail({ ...problem(refusal.code), retryAfterS: refusal.retryAfterS })
    const target = upstream.pick(pickContext)
    if (!target) return this.#fail(problem('no_instance'))
    this.#send(target)
    this.#planHedge()
  }

  #send(target: Target): void {
    this.#attempt = new Attempt(this, target)
    this.#dispatch(this.#attempt)
  }

  #dispatch(attempt: Attempt): void {
    const { req, path, headers } = this.#options
    this.#tried.push(attempt.target)
    this.#isDone = false
    const isEventStream = req.headers.accept?.includes('text/event-stream')
    const timeout = isEventStream && { bodyTimeout: 0 }
    const [method, body] = [req.method ?? 'GET', this.#body?.stream ?? null]
    attempt.dispatch({ method, path, headers, body, ...timeout })
  }

  /** Sends a GET to a second instance too if the first one is slower than usual. */
  #planHedge(): void {
    const { req, upstream } = this.#options
    const delayMs = req.method === 'GET' && !this.#body ? upstream.hedgeAfterMs() : undefined
    if (delayMs === undefined) return
    this.#hedgeTimer = setTimeout(() => {
      const isWaiting = this.#attempt && !this.#attempt.hasHead && !this.#isDone
      const next = isWaiting && !this.#wasRepeated ? this.#pickNext() : undefined
      if (!next) return
      this.#wasRepeated = true
      this.#hedge = new Attempt(this, next)
      this.#dispatch(this.#hedge)
    }, delayMs).unref()
  }

  isCurrent(attempt: Attempt): boolean {
    return (attempt === this.#attempt || attempt === this.#hedge) && !this.#isBroken
  }

  onHead(
    attempt: Attempt,
    controller: Dispatcher.DispatchController,
    statusCode: number,
    parsed: ParsedHeaders,
    statusMessage?: string,
  ): void {
    // The rest of the refusal is read and dropped.
    if (statusCode === 503 && (this.#giveUp(attempt) || this.#sendElsewhere(attempt))) return
    this.#choose(attempt)
    try {
      this.#writer.start(controller, statusCode, parsed, statusMessage)
    } catch (error) {
      const isHookFault = isWritableHead(statusCode, controller.rawHeaders)
      this.onFault(error, isHookFault ? 'internal' : 'bad_response')
    }
  }

  /** The first attempt with a head has the response of the client. */
  #choose(attempt: Attempt): void {
    clearTimeout(this.#hedgeTimer)
    const other = attempt === this.#attempt ? this.#hedge : this.#attempt
    this.#attempt = attempt
    this.#hedge = undefined
    other?.abort(new Error('another instance responded first'))
  }

  /** Drops an attempt if there is another one to wait for. */
  #giveUp(attempt: Attempt): boolean {
    if (!this.#hedge) return false
    if (attempt === this.#attempt) this.#attempt = this.#hedge
    this.#hedge = undefined
    return true
  }

  onData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#writer.write(controller, chunk)
  }

  onEnd(): void {
    this.#isDone = true
    this.#writer.end()
  }

  onError(attempt: Attempt, error: Error): void {
    if (this.#isClientGone) return void (this.#isDone = true)
    const found = problemOf(error, attempt.wasSent)
    const isInstanceFault = found.code !== 'bad_request' && found.code !== 'bad_response'
    if (isInstanceFault && !this.#isTooLarge) {
      attempt.target.failed(`${found.code}: ${error.message}`)
    }
    if (this.#giveUp(attempt)) return
    this.#isDone = true
    if (this.#isTooLarge) return this.#fail(problem('body_too_large'))
    if (isInstanceFault && this.#sendElsewhere(attempt)) return
    this.#fail(found)
  }

  onSilent(attempt: Attempt): void {
    const error = new Error('the instance answers nothing')
    // undici destroys the body of an attempt that is aborted.
    if (this.#body) return
    if (this.#giveUp(attempt) || this.#sendElsewhere(attempt)) attempt.abort(error)
  }

  /**
   * Sends the request to another instance, if it may be. A request that was not sent can go to any
   * number of instances. One that was sent may have run: it is repeated once, if it may run twice.
   */
  #sendElsewhere({ wasSent }: Attempt): boolean {
    const { res, retries } = this.#options
    if (res.headersSent || this.#body?.isStarted || this.#tried.length > retries) return false
    if (wasSent && (this.#wasRepeated || !this.#isRepeatable())) return false
    const next = this.#pickNext()
    if (!next) return false
    this.#wasRepeated ||= wasSent
    this.#send(next)
    return true
  }

  #pickNext(): Target | undefined {
    const { upstream, pickContext } = this.#options
    const next = upstream.pick(pickContext, this.#tried)
    return next && upstream.allowRetry() ? next : undefined
  }

  /** Whether the request may run twice. Requests with an idempotency key join here. */
  #isRepeatable(): boolean {
    return idempotentMethods.has(this.#options.req.method ?? '')
  }

  #fail(found: ProxyProblem): void {
    this.#isDone = true
    clearTimeout(this.#hedgeTimer)
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
    this.#abort(cause)
  }

  #abort(reason: Error): void {
    clearTimeout(this.#hedgeTimer)
    this.#attempt?.abort(reason)
    this.#hedge?.abort(reason)
  }
}
