import type { Duplex } from 'node:stream'
import type { Call } from '../client/call.ts'
import type { ResponseHead } from '../client/head.ts'
import type { ClientRequest, ResponseHandler } from '../client/request.ts'
import { notify } from '../hooks.ts'
import { problemOf, type ProxyProblemCode } from '../problem.ts'
import type { SlotKind } from '../slots/slots.ts'
import { isErrorStatus, type Outcome } from '../upstream/target-counts.ts'
import type { Target, Waiter } from '../upstream/target.ts'
import type { AttemptTrace } from './attempt-trace.ts'

const EARLY_HINTS = 103

/** The sender of a response, which waits for a slow client. */
export interface ResponseSource {
  pause(): void
  resume(): void
}

/** The events of the response of an instance, except its head. */
export interface ResponseEvents {
  /** The instance suggests resources while the response is not ready. */
  onEarlyHints(head: ResponseHead): void
  /** The instance has accepted to change the protocol. The owner ends the attempt. */
  onUpgrade(attempt: Attempt, head: ResponseHead, socket: Duplex): void
  /** @param chunk is valid during the call only */
  onData(source: ResponseSource, chunk: Buffer): void
  onEnd(): void
}

/** Receives the events of the attempts of one request. Methods may throw: see `onFault`. */
export interface AttemptOwner extends ResponseEvents {
  /** Whether events of this attempt still count. */
  isCurrent(attempt: Attempt): boolean
  onHead(attempt: Attempt, head: ResponseHead): void
  onError(attempt: Attempt, error: Error): void
  /** The target answers nothing at all. */
  onSilent(attempt: Attempt): void
  /** Receives an error that a callback of the owner threw. */
  onFault(error: unknown): void
}

/**
 * One attempt of a request at one target, and the handler of the client's events for it. It is a
 * class and not a closure for each event, because this is the hot path.
 *
 * It reports to the target: `started` and `ended` exactly once each, and the head of a response.
 * Faults are reported by the owner, which has the reasons. It also returns the slot of the target.
 *
 * Every callback catches its errors: otherwise the client would get no response. Such an error is no
 * failure of the instance.
 */
export class Attempt implements ResponseHandler, ResponseSource, Waiter {
  readonly target: Target
  memberIndex = -1
  /** The request may have been written to a connection. */
  wasSent = false
  /** The head of a response arrived. */
  hasHead = false
  /** The time from sending the request to the head of the response. */
  headAfterMs = 0
  /** Final at the end of the attempt, when its target counts it. */
  outcome: Outcome = 'aborted'
  /** Set before the attempt is dispatched, if its request is recorded. */
  trace: AttemptTrace | undefined
  readonly #owner: AttemptOwner
  #kind: SlotKind
  #call: Call | undefined
  #sentAtMs = 0
  #hasEnded = false

  /** @param kind the kind of the slot that the owner has taken from the target */
  constructor(owner: AttemptOwner, target: Target, kind: SlotKind) {
    this.#owner = owner
    this.target = target
    this.#kind = kind
  }

  /** Whether the target is working on the request. */
  get isOpen(): boolean {
    return !this.#hasEnded
  }

  /** Exchanges the slot of a request, whose response is a stream. Returns false if none is free. */
  becomeStream(): boolean {
    if (this.#kind === 'stream') return true
    if (!this.target.slots.becomeStream()) return false
    this.#kind = 'stream'
    if (this.#call) this.#call.isStream = true
    return true
  }

  send(request: ClientRequest): void {
    this.target.started(this)
    try {
      this.#call = this.target.pool.send(request, this)
    } catch (error) {
      this.end()
      this.#owner.onFault(error)
    }
  }

  /** Ends the attempt. One that was not sent yet will never be sent. */
  abort(reason: Error): void {
    this.#call?.abort(reason)
  }

  pause(): void {
    this.#call?.pause()
  }

  resume(): void {
    this.#call?.resume()
  }

  onSent(): void {
    this.wasSent = true
    this.#sentAtMs = performance.now()
  }

  /** RFC 9110 15.2: informational responses other than 103 are for this hop. */
  onInformation(head: ResponseHead): void {
    if (head.statusCode === EARLY_HINTS && this.#owner.isCurrent(this)) {
      this.#owner.onEarlyHints(head)
    }
  }

  onHead(head: ResponseHead): void {
    // An attempt that was given up is no result of its target.
    if (!this.#owner.isCurrent(this)) return
    this.hasHead = true
    this.headAfterMs = performance.now() - this.#sentAtMs
    this.outcome = isErrorStatus(head.statusCode) ? 'error' : 'ok'
    this.target.succeeded(head.statusCode, this.headAfterMs, this)
    this.#traceHead(head)
    try {
      this.#owner.onHead(this, head)
    } catch (error) {
      this.#owner.onFault(error)
    }
  }

  onUpgrade(head: ResponseHead, socket: Duplex): void {
    if (!this.#owner.isCurrent(this)) {
      socket.destroy()
      return this.end()
    }
    this.hasHead = true
    this.outcome = 'ok'
    this.target.succeeded(head.statusCode, performance.now() - this.#sentAtMs, this)
    this.#traceHead(head)
    this.#owner.onUpgrade(this, head, socket)
  }

  onData(chunk: Buffer): void {
    if (!this.#owner.isCurrent(this)) return
    try {
      this.#owner.onData(this, chunk)
    } catch (error) {
      this.#owner.onFault(error)
    }
  }

  onEnd(): void {
    this.end()
    if (!this.#owner.isCurrent(this)) return
    try {
      this.#owner.onEnd()
    } catch (error) {
      this.#owner.onFault(error)
    }
  }

  onError(error: Error): void {
    if (this.#owner.isCurrent(this)) this.outcome = outcomeOf(problemOf(error, this.wasSent).code)
    this.end()
    if (!this.#owner.isCurrent(this)) return
    try {
      this.#owner.onError(this, error)
    } catch (thrown) {
      this.#owner.onFault(thrown)
    }
  }

  onSilent(): void {
    if (!this.#owner.isCurrent(this)) return
    try {
      this.#owner.onSilent(this)
    } catch (error) {
      this.#owner.onFault(error)
    }
  }

  /** Ends the use of the target. The owner calls it after an upgrade only. */
  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.target.counts[this.outcome] += 1
    this.target.ended(this.hasHead, this)
    this.target.slots.release(this.#kind)
    const { trace } = this
    if (trace) notify(() => trace.end(this.outcome))
  }

  #traceHead(head: ResponseHead): void {
    const { trace } = this
    if (trace) notify(() => trace.head(head.statusCode, head.toRecord()))
  }
}

/** The outcome of an attempt that failed. A request that cannot be sent is no result of its target. */
function outcomeOf(code: ProxyProblemCode): Outcome {
  if (code === 'bad_request') return 'aborted'
  if (code === 'connect_failed') return 'refused'
  return code === 'upstream_timeout' ? 'timeout' : 'error'
}
