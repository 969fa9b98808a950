import type { Duplex } from 'node:stream'
import type { ResponseHead } from '../client/head.ts'
import type { ClientRequest } from '../client/request.ts'
import {
  isInstanceFault,
  problem,
  problemOf,
  type ProxyProblem,
  type ProxyProblemCode,
} from '../problem.ts'
import { isEventStream } from '../response-head.ts'
import type { SlotKind } from '../slots/slots.ts'
import type { Waiter } from '../slots/waiting.ts'
import type { Target } from '../upstream/target.ts'
import type { AttemptTrace } from './attempt-trace.ts'
import { Attempt, type AttemptOwner, type ResponseEvents, type ResponseSource } from './attempt.ts'
import type { Selection } from './selection.ts'

/**
 * An instance that drains or has too many requests refuses at once. A 503 that took longer is about a
 * store that all instances share, and a second instance would only double the wait of the client.
 */
const quickRefusalMs = 250

/** The request of a client, to which its attempts report. Methods may throw. */
export interface RequestSide extends ResponseEvents {
  /** Whether the client needs no response. */
  readonly isOver: boolean
  readonly hasBody: boolean
  /** Whether its body is sent while it is received. */
  readonly isStreamed: boolean
  /** Whether no part of a response was sent, and the body can be sent again. */
  readonly isUntouched: boolean
  /** Whether the request may run twice. */
  readonly isRepeatable: boolean
  /** The request is sent to an instance. `tries` counts this one too. */
  onTry(origin: string, tries: number): void
  /** Begins the trace of an attempt. It never throws. */
  traceAttempt(origin: string, number: number): AttemptTrace | undefined
  describe(kind: SlotKind, trace?: AttemptTrace): ClientRequest
  /** The response is an event stream. */
  onEventStream(): void
  onHead(head: ResponseHead): void
  fail(found: ProxyProblem): void
  onFault(error: unknown, code?: ProxyProblemCode): void
}

/** The attempts of one request, of which one at most has a response. */
export class Attempts implements AttemptOwner, Waiter {
  readonly #request: RequestSide
  readonly #selection: Selection
  readonly #retries: number
  /** The attempt whose events count. */
  #attempt: Attempt | undefined
  /** A second attempt beside it, until one of them has the head of a response. */
  #hedge: Attempt | undefined
  #hedgeTimer: NodeJS.Timeout | undefined
  /** A request that may have run was sent a second time. */
  #wasRepeated = false

  constructor(request: RequestSide, selection: Selection, retries: number) {
    this.#request = request
    this.#selection = selection
    this.#retries = retries
  }

  /** Sends the request, or waits for a slot. */
  start(): void {
    const { upstream, kind } = this.#selection
    const refusal = upstream.admit()
    if (refusal) {
      return this.#request.fail({ ...problem(refusal.code), retryAfterS: refusal.retryAfterS })
    }
    const target = this.#selection.take()
    const { waiting } = this.#selection
    if (target) this.#sendFirst(target)
    else if (waiting && kind === 'request') waiting.add(this)
    else this.#request.fail(problem(waiting ? 'overloaded' : 'no_instance'))
  }

  tryStart(): void {
    const { waiting } = this.#selection
    const target = this.#selection.take()
    if (!target) return
    waiting?.remove(this)
    this.#sendFirst(target)
  }

  giveUpWaiting(): void {
    this.#request.fail(problem('overloaded'))
  }

  /** The client has its response, or needs none. */
  finish(): void {
    clearTimeout(this.#hedgeTimer)
    this.#selection.waiting?.remove(this)
  }

  abort(reason: Error): void {
    this.finish()
    this.#attempt?.abort(reason)
    this.#hedge?.abort(reason)
  }

  /** Records that the instance did not respond before the deadline of the request. */
  noteLate(): void {
    if (!this.#attempt?.isOpen || this.#attempt.hasHead) return
    this.#attempt.outcome = 'timeout'
    this.#attempt.target.failed('deadline_exceeded: no response before the deadline of the request')
  }

  #sendFirst(target: Target): void {
    this.#send(target)
    this.#planHedge()
  }

  #send(target: Target): void {
    const attempt = this.#open(target)
    this.#attempt = attempt
    this.#dispatch(attempt)
  }

  #open(target: Target): Attempt {
    const { kind, attempts } = this.#selection
    const attempt = new Attempt(this, target, kind)
    this.#request.onTry(target.origin, attempts)
    attempt.trace = this.#request.traceAttempt(target.origin, attempts)
    return attempt
  }

  #dispatch(attempt: Attempt): void {
    attempt.send(this.#request.describe(this.#selection.kind, attempt.trace))
  }

  /** Sends a GET to a second instance too if the first one is slower than usual. */
  #planHedge(): void {
    const { upstream, kind } = this.#selection
    const delayMs = upstream.hedgeAfterMs()
    if (delayMs === undefined || kind === 'stream' || this.#request.hasBody) return
    const options = this.#request.describe(kind)
    if (options.method !== 'GET') return
    this.#hedgeTimer = setTimeout(() => {
      const isWaiting = this.#attempt && !this.#attempt.hasHead && !this.#request.isOver
      const next = isWaiting && !this.#wasRepeated ? this.#selection.takeAgain() : undefined
      if (!next) return
      this.#wasRepeated = true
      const hedge = this.#open(next)
      this.#hedge = hedge
      this.#dispatch(hedge)
    }, delayMs).unref()
  }

  isCurrent(attempt: Attempt): boolean {
    return (attempt === this.#attempt || attempt === this.#hedge) && !this.#request.isOver
  }

  onHead(attempt: Attempt, head: ResponseHead): void {
    const { statusCode } = head
    // The rest of the refusal is read and dropped.
    if (statusCode === 503 && (this.#giveUp(attempt) || this.#sendRefusedElsewhere(attempt))) {
      // The body of a stream has no limit of time.
      if (this.#selection.kind === 'stream') attempt.abort(new Error('the instance refused'))
      return
    }
    this.#choose(attempt)
    if (isEventStream(head)) {
      this.#request.onEventStream()
      if (!attempt.becomeStream()) {
        return this.#request.onFault(new Error('no slot of a stream is free'), 'overloaded')
      }
    }
    this.#request.onHead(head)
  }

  onEarlyHints(head: ResponseHead): void {
    this.#request.onEarlyHints(head)
  }

  onUpgrade(attempt: Attempt, head: ResponseHead, socket: Duplex): void {
    this.#request.onUpgrade(attempt, head, socket)
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

  onData(source: ResponseSource, chunk: Buffer): void {
    this.#request.onData(source, chunk)
  }

  onEnd(): void {
    this.#request.onEnd()
  }

  onError(attempt: Attempt, error: Error): void {
    const found = problemOf(error, attempt.wasSent)
    const isFault = isInstanceFault(error, found)
    if (isFault) attempt.target.failed(`${found.code}: ${error.message}`)
    if (this.#giveUp(attempt)) return
    if (isFault && this.#sendElsewhere(attempt)) return
    this.#request.fail(found)
  }

  onSilent(attempt: Attempt): void {
    // A streamed body belongs to its first attempt, which waits for the connection.
    if (!attempt.wasSent && this.#request.isStreamed) return
    const error = new Error('the instance answers nothing')
    if (!this.#giveUp(attempt) && !this.#sendElsewhere(attempt)) return
    attempt.outcome = 'timeout'
    attempt.abort(error)
  }

  onFault(error: unknown): void {
    this.#request.onFault(error)
  }

  #sendRefusedElsewhere(attempt: Attempt): boolean {
    return attempt.headAfterMs < quickRefusalMs && this.#sendElsewhere(attempt)
  }

  /**
   * Sends the request to another instance, if it may be. A request that was not sent can go to any
   * number of instances. One that was sent may have run: it is repeated once, if it may run twice.
   */
  #sendElsewhere({ wasSent }: Attempt): boolean {
    if (!this.#request.isUntouched || this.#selection.attempts > this.#retries) return false
    if (wasSent && (this.#wasRepeated || !this.#request.isRepeatable)) return false
    const next = this.#selection.takeAgain()
    if (!next) return false
    this.#wasRepeated ||= wasSent
    this.#send(next)
    return true
  }
}
