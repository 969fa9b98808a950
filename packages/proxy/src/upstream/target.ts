import { type Member, Members } from '@repo/concurrency'
import { Pool, type PoolOptions } from '../client/pool.ts'
import { type SlotLimits, Slots } from '../slots/slots.ts'
import type { Waiting } from '../slots/waiting.ts'
import { ErrorWindow } from './error-window.ts'
import { Latency } from './latency.ts'
import { isErrorStatus, type TargetCounts } from './target-counts.ts'

/** `ejected`: it failed requests and is not used for a time. `down`: its health check failed. */
export type TargetState = 'healthy' | 'ejected' | 'down'

export type TargetEvent = 'failed' | 'ejected' | 'down' | 'healthy'

/** When a target is ejected, and for how long. */
export interface EjectionLimits {
  /** The number of consecutive refusals, resets and timeouts that eject a target. */
  failures: number
  /** The number of consecutive responses with 5xx that eject a target. */
  consecutiveErrors: number
  /** The share of errors in the window that ejects a target. */
  errorRate: number
  /** The number of results in the window from which the share counts. */
  minimumRequests: number
  windowMs: number
  /** The duration of the first ejection. It doubles with each one in a row, up to 12 times. */
  durationMs: number
}

export interface TargetOptions {
  pool: PoolOptions
  slotLimits: SlotLimits
  /** The requests that wait for a slot of any target. */
  queue: Waiting
  ejection: EjectionLimits
  slowStartMs: number
  counts: TargetCounts
  /** Whether the errors of the target are no errors of all targets. */
  isOutlier: (target: Target, errorRate: number) => boolean
  /** A result of the target, for the breaker and the hedging of the upstream. */
  onResult: (isError: boolean, latencyMs: number, nowMs: number) => void
  /** The state of the target changed, or will change by itself. */
  onChange: () => void
  /** A request was dispatched. */
  onStarted: () => void
  /** Returns the number of requests that the targets of the group have received so far. */
  groupRequests: () => number
  onEvent: (event: TargetEvent, origin: string, detail: string) => void
}

/** A request that waits for the head of a response. */
export interface Waiter extends Member {
  /** The target answers nothing at all, not even a health check. */
  onSilent(): void
}

const maxDurations = 12
const probationResponses = 3
const coldest = 0.1

/** One instance with its connections, its load, its latency and its health. */
export class Target {
  readonly origin: string
  readonly pool: Pool
  readonly slots: Slots
  readonly connect: Pick<PoolOptions, 'connect'>
  inFlight = 0
  /** Requests without the head of a response. */
  waiting = 0
  /** Heads of responses and answers to health checks so far, for the detection of silence. */
  answers = 0
  /** Counts dispatched requests, for the pace of health checks. */
  requests = 0
  readonly latency: Latency
  readonly window: ErrorWindow
  /** The ended attempts by outcome, for figures. */
  readonly counts: TargetCounts
  readonly #options: TargetOptions
  readonly #waiters = new Members<Waiter>()
  #failures = 0
  #consecutiveErrors = 0
  #ejectedUntilMs = 0
  /** The number of ejections in a row. */
  #ejections = 0
  /** Good responses that end the probation after an ejection. */
  #probation = 0
  /** The ejection is for errors in responses, so that a health check is no evidence against it. */
  #isErroneous = false
  #isDown = false
  #warmsSinceMs = -Infinity
  /** Whether a failure was reported last, so that recovery is reported once. */
  #wasOut = false

  constructor(origin: string, options: TargetOptions) {
    this.origin = origin
    this.#options = options
    this.counts = options.counts
    this.latency = new Latency(options.groupRequests)
    this.window = new ErrorWindow(options.ejection.windowMs)
    this.pool = new Pool(origin, options.pool)
    this.slots = new Slots(options.queue, options.slotLimits)
    const { connect } = options.pool
    this.connect = connect ? { connect } : {}
  }

  get state(): TargetState {
    if (this.#isDown) return 'down'
    if (this.#ejectedUntilMs > performance.now()) return 'ejected'
    return 'healthy'
  }

  /** The time at which an ejection ends by itself; 0 without one. */
  get ejectedUntilMs(): number {
    return this.#ejectedUntilMs
  }

  /** Whether the target is used and its last response was no error. */
  get isGood(): boolean {
    return this.#consecutiveErrors === 0 && this.#failures === 0 && this.state === 'healthy'
  }

  /** After an ejection one request at a time is sent, until three responses in a row are good. */
  get isFull(): boolean {
    return this.#probation > 0 && this.inFlight > 0
  }

  /** The weight of one request in flight: more than 1 while the target is started slowly. */
  weightAt(nowMs: number): number {
    const warmth = (nowMs - this.#warmsSinceMs) / this.#options.slowStartMs
    return warmth >= 1 ? 1 : 1 / Math.max(coldest, warmth)
  }

  /** Starts the target slowly: at first it gets a tenth of the requests in flight of the others. */
  warm(): void {
    this.#warmsSinceMs = performance.now()
  }

  /**
   * Records a request that is dispatched to the pool. `ended` follows exactly once.
   * @param waiter is called if the target becomes silent before the head of the response
   */
  started(waiter?: Waiter): void {
    this.inFlight += 1
    this.waiting += 1
    this.requests += 1
    if (waiter) this.#waiters.add(waiter)
    this.#options.onStarted()
  }

  /**
   * Records the end of a request: its response is complete, it failed, or it was aborted.
   * @param hadHead whether `succeeded` was called for it
   */
  ended(hadHead: boolean, waiter?: Waiter): void {
    this.inFlight -= 1
    if (hadHead) return
    this.waiting -= 1
    if (waiter) this.#waiters.delete(waiter)
  }

  /**
   * Records the head of a final response.
   * @param statusCode its status; 5xx except 501 and 505 are errors
   * @param latencyMs the time from sending the request on a connection to the head
   */
  succeeded(statusCode: number, latencyMs: number, waiter?: Waiter): void {
    const nowMs = performance.now()
    this.waiting -= 1
    this.answers += 1
    if (waiter) this.#waiters.delete(waiter)
    const isError = isErrorStatus(statusCode)
    this.latency.record(latencyMs, isError, nowMs)
    this.#note(isError, latencyMs, nowMs)
    this.#failures = 0
    if (isError) return this.#noteError(`responded with ${statusCode}`, nowMs)
    this.#consecutiveErrors = 0
    if (!this.#wasOut) return
    if (this.#isErroneous && (this.#probation -= 1) > 0) return
    this.#recover()
  }

  /**
   * Records a refusal, a reset or a timeout. After an ejection, one more failure ejects again. Faults
   * of the proxy, its hooks or the client are not recorded: then only `ended` is called.
   */
  failed(reason: string): void {
    const nowMs = performance.now()
    // Failures in a row eject a target at once, so they are no part of its latency.
    this.#note(true, 0, nowMs)
    this.#failures += 1
    this.#emit('failed', reason)
    if (this.#probation > 0 || this.#failures >= this.#options.ejection.failures) {
      this.#eject(reason, nowMs)
    }
  }

  /** Records a successful health check, which also ends an ejection after failures. */
  reportUp(): void {
    this.answers += 1
    const wasDown = this.#isDown
    this.#isDown = false
    if (wasDown) this.#options.onChange()
    if (this.#isErroneous) return
    this.#failures = 0
    if (this.#wasOut) this.#recover()
  }

  /** Records a failed health check. */
  reportDown(reason: string): void {
    if (!this.#isDown) this.#emit('down', reason)
    this.#isDown = true
    this.#wasOut = true
    this.#options.onChange()
  }

  /** Records that the target answers neither requests nor a health check. */
  reportSilent(reason: string): void {
    this.reportDown(reason)
    // A waiter that is sent to another target removes itself.
    for (const waiter of this.#waiters.values()) waiter.onSilent()
  }

  #note(isError: boolean, latencyMs: number, nowMs: number): void {
    this.window.record(isError, nowMs)
    this.#options.onResult(isError, latencyMs, nowMs)
  }

  #noteError(reason: string, nowMs: number): void {
    const { consecutiveErrors, errorRate, minimumRequests } = this.#options.ejection
    this.#consecutiveErrors += 1
    const { total, errors } = this.window
    const isFailing = this.#probation > 0 || this.#consecutiveErrors >= consecutiveErrors
    const rate = isFailing ? 1 : errors / total
    if (!isFailing && (total < minimumRequests || rate < errorRate)) return
    if (!this.#options.isOutlier(this, rate)) return
    this.#isErroneous = true
    this.#eject(reason, nowMs)
  }

  #eject(reason: string, nowMs: number): void {
    // Requests that were in flight at the ejection do not prolong it.
    if (this.#ejectedUntilMs > nowMs) return
    if (this.state === 'healthy') {
      this.counts.ejections += 1
      this.#emit('ejected', reason)
    }
    this.#wasOut = true
    const { durationMs } = this.#options.ejection
    this.#ejectedUntilMs = nowMs + durationMs * Math.min(2 ** this.#ejections, maxDurations)
    this.#ejections += 1
    this.#probation = probationResponses
    this.window.reset()
    this.#options.onChange()
  }

  #recover(): void {
    if (!this.#isDown) this.#emit('healthy', 'responds again')
    this.#wasOut = this.#isDown
    this.#failures = 0
    this.#consecutiveErrors = 0
    this.#ejectedUntilMs = 0
    this.#ejections = 0
    this.#probation = 0
    this.#isErroneous = false
    this.latency.reset()
    this.warm()
    this.#options.onChange()
  }

  #emit(event: TargetEvent, detail: string): void {
    this.#options.onEvent(event, this.origin, detail)
  }
}
