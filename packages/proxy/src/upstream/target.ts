import { Pool } from 'undici'

/** `ejected`: it failed requests and is not used for a time. `down`: its health check failed. */
export type TargetState = 'healthy' | 'ejected' | 'down'

export type TargetEvent = 'failed' | 'ejected' | 'down' | 'healthy'

export interface TargetOptions {
  pool: Pool.Options
  /** The number of consecutive failures that eject a target. */
  failures: number
  ejectionMs: number
  onEvent: (event: TargetEvent, origin: string, detail: string) => void
}

/** One instance with its connections, its load and its health. */
export class Target {
  readonly origin: string
  readonly pool: Pool
  inFlight = 0
  readonly #options: TargetOptions
  #failures = 0
  #ejectedUntilMs = 0
  #isDown = false
  /** Whether a failure was reported last, so that recovery is reported once. */
  #wasOut = false

  constructor(origin: string, options: TargetOptions) {
    this.origin = origin
    this.#options = options
    this.pool = new Pool(origin, options.pool)
  }

  get state(): TargetState {
    if (this.#isDown) return 'down'
    if (this.#ejectedUntilMs > performance.now()) return 'ejected'
    return 'healthy'
  }

  /** Records a request that is dispatched to the pool. `ended` follows exactly once. */
  started(): void {
    this.inFlight += 1
  }

  /** Records the end of a request: its response is complete, it failed, or it was aborted. */
  ended(): void {
    this.inFlight -= 1
  }

  /**
   * Records the head of a final response.
   * @param _statusCode its status
   * @param _latencyMs the time from sending the request on a connection to the head
   */
  succeeded(_statusCode: number, _latencyMs: number): void {
    if (this.#failures === 0) return
    this.#recover()
  }

  /**
   * Records a refusal, a reset or a timeout. After an ejection, one more failure ejects again. Faults
   * of the proxy, its hooks or the client are not recorded: such a request only has its `ended`.
   */
  failed(reason: string): void {
    this.#failures += 1
    this.#emit('failed', reason)
    if (this.#failures < this.#options.failures) return
    if (this.state === 'healthy') this.#emit('ejected', reason)
    this.#wasOut = true
    this.#ejectedUntilMs = performance.now() + this.#options.ejectionMs
  }

  /** Records a successful health check, which also ends an ejection. */
  reportUp(): void {
    this.#isDown = false
    this.#recover()
  }

  /** Records a failed health check. */
  reportDown(reason: string): void {
    if (!this.#isDown) this.#emit('down', reason)
    this.#isDown = true
    this.#wasOut = true
  }

  #recover(): void {
    this.#failures = 0
    this.#ejectedUntilMs = 0
    if (!this.#wasOut || this.#isDown) return
    this.#wasOut = false
    this.#emit('healthy', 'responds again')
  }

  #emit(event: TargetEvent, detail: string): void {
    this.#options.onEvent(event, this.origin, detail)
  }
}
