import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { AttemptTrace, TraceAttempt } from './attempt/attempt-trace.ts'
import type { Attempt, ResponseSource } from './attempt/attempt.ts'
import { Attempts, type RequestSide } from './attempt/attempts.ts'
import { Selection } from './attempt/selection.ts'
import { discardRest, RequestBody } from './body/request-body.ts'
import type { ResponseHead } from './client/head.ts'
import type { ClientRequest } from './client/request.ts'
import { type HeldOwner, HeldRequest } from './held/held-request.ts'
import { answerWith, catchRejection, notify } from './hooks.ts'
import { problem, type ProxyProblem, type ProxyProblemCode, toError } from './problem.ts'
import { areWritable, hasBody, putHeader, type RawHeaders, replaceHeader } from './raw-headers.ts'
import { DEADLINE_HEADER, type RequestDeadline } from './request-deadlines.ts'
import { deadlineOf, requestHeadersOf } from './request-head.ts'
import { headersOf, isWritableHead } from './response-head.ts'
import { type ResponseOutput, type ResponseOwner, ResponseWriter } from './response-writer.ts'
import type { Settings } from './settings.ts'
import type { SlotKind } from './slots/slots.ts'
import type { Upgrade } from './websocket/upgrade.ts'

// RFC 9110 9.2.2
const idempotentMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/** One request in the proxy: its body, its deadline, and its response. */
export class Exchange<Context> implements RequestSide, ResponseOwner, HeldOwner {
  readonly #settings: Settings<Context>
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  readonly #context: Context
  readonly #writer: ResponseWriter
  /** The client of a WebSocket. */
  readonly #upgrade: Upgrade | undefined
  #headers: RawHeaders = []
  #body: RequestBody | undefined
  #deadline: RequestDeadline | undefined
  #attempts: Attempts | undefined
  #trace: TraceAttempt | undefined
  #held: HeldRequest | undefined
  /** The client has its whole response, or cannot get one. */
  #isDone = false

  constructor(
    settings: Settings<Context>,
    req: IncomingMessage,
    res: ServerResponse,
    context: Context,
    upgrade?: Upgrade,
  ) {
    this.#settings = settings
    this.#req = req
    this.#res = res
    this.#context = context
    this.#upgrade = upgrade
    this.#writer = new ResponseWriter(res, this)
  }

  start(): void {
    // Without a listener a write to a closed connection would end the process.
    this.#res.on('error', destroyEmitter)
    this.#res.once('close', () => this.disconnect())
    try {
      this.#receive()
    } catch (error) {
      // A hook threw an error: this is no fault of the client or of an instance.
      this.onFault(error)
    }
  }

  /** Checks the request, and sends it when its body is complete or a stream. */
  #receive(): void {
    const { upstream, pickContext, maxBodyBytes, bufferBytes, guard, clientOf } = this.#settings
    const { retries, trace, hold } = this.#settings
    const req = this.#req
    // Here, because later events do not run in the asynchronous context of the request.
    if (trace) this.#trace = notify(() => trace(req, this.#context))
    // An absolute-form target (RFC 9112 3.2.2) names a host that the route does not consider.
    if (!req.url?.startsWith('/')) return this.fail(problem('bad_request'))
    if (Number(req.headers['content-length']) > maxBodyBytes) {
      return this.fail(problem('body_too_large'))
    }
    const chosen = typeof upstream === 'function' ? upstream(req, this.#context) : upstream
    if (!chosen) return this.fail(problem('no_instance'))
    const selection = new Selection(chosen, pickContext?.(req, this.#context))
    this.#attempts = new Attempts(this, selection, retries)
    const isStream = this.#upgrade ?? req.headers.accept?.includes('text/event-stream')
    if (isStream) selection.kind = 'stream'
    else this.#startDeadline()
    const held = this.#upgrade ? undefined : hold?.(req, this.#context)
    if (held) this.#held = new HeldRequest(held, this.#writer, this)
    if (!hasBody(req)) return this.#proceed()
    this.#body = new RequestBody(req, {
      maxBytes: maxBodyBytes,
      bufferBytes: held ? maxBodyBytes : bufferBytes,
      guard,
      client: clientOf(req, this.#context),
      onReady: () => this.#proceed(),
      onRefused: (code) => this.onFault(new Error(`the body was refused: ${code}`), code),
    })
  }

  #startDeadline(): void {
    const ms = deadlineOf(this.#settings, this.#req, this.#context)
    if (ms === undefined) return
    this.#deadline = this.#settings.deadlines.start(ms, () => this.#expire())
  }

  /** The body is complete or a stream, or there is none. */
  #proceed(): void {
    if (this.#held) this.#held.begin(this.#body?.complete)
    else this.send()
  }

  send(): void {
    try {
      this.#send()
    } catch (error) {
      this.onFault(error)
    }
  }

  #send(): void {
    const { requestHeaders } = this.#settings
    this.#headers = requestHeadersOf(this.#settings, this.#req)
    if (requestHeaders) {
      const body = this.#body?.complete
      const result: unknown = requestHeaders(this.#headers, this.#req, this.#context, body)
      // Hooks must be synchronous, but a hook can be an async function.
      catchRejection(result, () => this.#res.destroy())
    }
    if (this.#deadline) replaceHeader(this.#headers, DEADLINE_HEADER, '')
    this.#attempts?.start()
  }

  onTry(origin: string, tries: number): void {
    const { onTry } = this.#settings
    if (onTry) notify(() => onTry(this.#req, this.#context, origin, tries))
  }

  traceAttempt(origin: string, number: number): AttemptTrace | undefined {
    const begin = this.#trace
    return begin && notify(() => begin(origin, number))
  }

  describe(kind: SlotKind, trace?: AttemptTrace): ClientRequest {
    const { method = 'GET', url: path = '/' } = this.#req
    const headers = this.#headers
    if (trace) putHeader(headers, 'traceparent', trace.traceparent)
    if (this.#deadline) headers[headers.length - 1] = String(this.#deadline.leftMs())
    const body = this.#body?.complete ?? this.#body?.stream ?? null
    return {
      method,
      path,
      headers,
      body,
      isUpgrade: this.#upgrade !== undefined,
      // A handshake that is refused gets a plain response, which has the timeout of one.
      isStream: kind === 'stream' && !this.#upgrade,
    }
  }

  get isOver(): boolean {
    return this.#isDone
  }

  get hasBody(): boolean {
    return this.#body !== undefined
  }

  get isStreamed(): boolean {
    return this.#body !== undefined && !this.#body.complete
  }

  /** A streamed body that has begun ends with its attempt. */
  get isUntouched(): boolean {
    return !this.#res.headersSent && !this.#body?.isStarted && !this.#held?.isDecided
  }

  get isRepeatable(): boolean {
    if (idempotentMethods.has(this.#req.method ?? '')) return true
    return this.#settings.mayRepeat?.(this.#req, this.#context) === true
  }

  onEventStream(): void {
    this.#deadline?.end()
  }

  onEarlyHints(head: ResponseHead): void {
    this.#writer.hint(head)
  }

  onUpgrade(attempt: Attempt, head: ResponseHead, socket: Duplex): void {
    const headers = headersOf(head)
    const isValid = areWritable(headers) && this.#upgrade?.isAcceptedBy(head) === true
    try {
      if (!isValid) throw new Error('the instance did not accept the handshake')
      this.changeResponse(headers, head.statusCode)
      if (!areWritable(headers)) throw new Error('a hook has added an invalid header')
      this.#finish()
      this.#upgrade?.open(headers, socket, () => attempt.end())
    } catch (error) {
      socket.destroy()
      attempt.end()
      this.onFault(error, isValid ? 'internal' : 'bad_response')
    }
  }

  get #output(): ResponseOutput {
    return this.#held?.collector ?? this.#writer
  }

  onHead(head: ResponseHead): void {
    try {
      this.#output.start(head)
    } catch (error) {
      const isHookFault = isWritableHead(head)
      this.onFault(error, isHookFault ? 'internal' : 'bad_response')
    }
  }

  changeResponse(headers: RawHeaders, statusCode: number): void {
    const { responseHeaders } = this.#settings
    if (!responseHeaders) return
    const result: unknown = responseHeaders(headers, this.#req, this.#context, statusCode)
    catchRejection(result, () => this.#res.destroy())
  }

  onData(source: ResponseSource, chunk: Buffer): void {
    this.#output.write(source, chunk)
  }

  onEnd(): void {
    this.#finish()
    this.#output.end()
  }

  /** Releases everything that only a request in progress needs. */
  #finish(): void {
    this.#isDone = true
    this.#deadline?.end()
    this.#body?.end()
    this.#attempts?.finish()
  }

  #expire(): void {
    const isBodyMissing = this.#body?.isAwaited === true && !this.#body.complete
    if (!isBodyMissing) this.#attempts?.noteLate()
    this.onFault(
      new Error('the deadline of the request has ended'),
      isBodyMissing ? 'body_too_slow' : 'deadline_exceeded',
    )
  }

  disconnect(): void {
    if (!this.#held?.isProtected) this.abandon('the client disconnected')
  }

  abandon(reason: string): void {
    if (this.#isDone) return
    this.#finish()
    this.#attempts?.abort(new Error(reason))
  }

  fail(found: ProxyProblem): void {
    this.#finish()
    // Node's parser accepted the headers of the client, so a hook added the one that the client refuses.
    const isHookFault = found.code === 'bad_request' && !areWritable(this.#headers)
    discardRest(this.#req)
    const sent = isHookFault ? problem('internal', found.cause) : found
    const answer = () => answerWith(this.#settings.onProblem, this.#req, this.#res, sent)
    if (this.#held) void this.#held.release().then(answer)
    else answer()
  }

  /**
   * Ends an exchange with a problem, or with a broken connection if a response has begun. The
   * instance gets a broken request.
   */
  onFault(error: unknown, code: ProxyProblemCode = 'internal'): void {
    if (this.#isDone) return this.#breakOff(error)
    const cause = toError(error)
    this.fail(problem(code, cause))
    this.#attempts?.abort(cause)
  }

  /** An error after the end of the exchange: the response may be incomplete. */
  #breakOff(error: unknown): void {
    if (!this.#res.writableFinished) this.#res.destroy()
    this.#attempts?.abort(toError(error))
  }
}

function destroyEmitter(this: { destroy(): unknown }): void {
  this.destroy()
}
