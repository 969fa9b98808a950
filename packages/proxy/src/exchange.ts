import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import { problem, problemOf, type ProxyProblem, toError } from './problem.ts'
import type { RawHeaders } from './raw-headers.ts'
import { createRequestBody, type RequestBody } from './request-body.ts'
import { isWritableHead } from './response-head.ts'
import { ResponseWriter } from './response-writer.ts'
import type { Target } from './upstream/target.ts'
import type { Upstream } from './upstream/upstream.ts'

// RFC 9110 9.2.2
const idempotentMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

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
 * One request in the proxy, and the handler of undici's events for all its attempts. It is a class
 * and not a closure for each event, because this is the hot path.
 *
 * Every callback catches its errors: otherwise undici and node:http would leave the client without a
 * response, or end the process. Such an error is no failure of the instance.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions
  readonly #body: RequestBody | undefined
  readonly #writer: ResponseWriter
  readonly #tried: Target[] = []
  #target: Target | undefined
  #controller: Dispatcher.DispatchController | undefined
  #wasSent = false
  #isDone = false
  #isTooLarge = false
  #isClientGone = false
  /** A callback threw an error, and the client has its response. */
  #isBroken = false
  #isSettled = true

  constructor(options: ExchangeOptions) {
    this.#options = options
    const { req, res, hasBody, maxBodyBytes: maxBytes, onResponseHeaders } = options
    const onFault = (error: unknown) => this.#break(error)
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
    this.#isSettled = false
    target.inFlight += 1
    const isEventStream = req.headers.accept?.includes('text/event-stream')
    const timeout = isEventStream && { bodyTimeout: 0 }
    const [method, body] = [req.method ?? 'GET', this.#body?.stream ?? null]
    try {
      target.pool.dispatch({ method, path, headers, body, ...timeout }, this)
    } catch (error) {
      this.#break(error)
      this.#settle()
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#wasSent = true
    this.#controller = controller
    if (this.#isClientGone) this.#abort(new Error('the client disconnected'))
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    parsed: Record<string, string | string[] | undefined>,
    statusMessage?: string,
  ): void {
    if (this.#isBroken || (statusCode >= 100 && statusCode < 200)) return
    try {
      this.#target?.succeeded()
      this.#writer.start(controller, statusCode, parsed, statusMessage)
    } catch (error) {
      const isHookFault = isWritableHead(statusCode, controller.rawHeaders)
      this.#break(error, isHookFault ? 'internal' : 'bad_response')
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isBroken) return
    try {
      this.#writer.write(controller, chunk)
    } catch (error) {
      this.#break(error)
    }
  }

  onResponseEnd(): void {
    this.#settle()
    if (this.#isBroken) return
    try {
      this.#writer.end()
    } catch (error) {
      this.#break(error)
    }
  }

  onResponseError(_controller: unknown, error: Error): void {
    const target = this.#settle()
    if (this.#isClientGone || this.#isBroken) return
    try {
      this.#retryOrFail(target, error)
    } catch (thrown) {
      this.#break(thrown)
    }
  }

  #retryOrFail(target: Target | undefined, error: Error): void {
    if (this.#isTooLarge) return this.#fail(problem('body_too_large'))
    const found = problemOf(error, this.#wasSent)
    const isInstanceFault = found.code !== 'bad_request' && found.code !== 'bad_response'
    if (isInstanceFault) target?.failed(`${found.code}: ${error.message}`)
    const { upstream } = this.#options
    const next = this.#mayRetry(found) ? upstream.pick(this.#tried) : undefined
    if (next && upstream.allowRetry()) this.#attempt(next)
    else this.#fail(found)
  }

  /** A request that was not sent can go to another instance. One that was sent may have run. */
  #mayRetry({ code }: ProxyProblem): boolean {
    const { req, res, retries } = this.#options
    if (res.headersSent || this.#body?.isStarted || this.#tried.length > retries) return false
    if (code === 'connect_failed') return true
    return code === 'upstream_reset' && idempotentMethods.has(req.method ?? '')
  }

  #settle(): Target | undefined {
    this.#isDone = true
    if (this.#target && !this.#isSettled) this.#target.inFlight -= 1
    this.#isSettled = true
    return this.#target
  }

  #fail(found: ProxyProblem): void {
    this.#isDone = true
    const { res, onProblem } = this.#options
    // The client must detect an incomplete response.
    if (res.headersSent) res.destroy()
    else onProblem(found)
  }

  /** Ends an exchange after an error of a callback, with a problem if no response has begun. */
  #break(error: unknown, code: 'internal' | 'bad_response' = 'internal'): void {
    if (this.#isBroken) return
    this.#isBroken = true
    const cause = toError(error)
    this.#fail(problem(code, cause))
    this.#abort(cause)
  }

  #abort(reason: Error): void {
    try {
      this.#controller?.abort(reason)
    } catch {
      // The connection is already closed.
    }
  }
}
