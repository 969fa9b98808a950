import { Pool } from 'undici'

/** `ejected`: it failed in use, and is left alone for a while. `down`: its health check says so. */
export type TargetState = 'healthy' | 'ejected' | 'down'

export type TargetEvent = 'failed' | 'ejected' | 'down' | 'healthy'

export interface TargetOptions {
  pool: Pool.Options
  /** Consecutive failures that eject. */
  failures: number
  ejectionMs: number
  onEvent: (event: TargetEvent, origin: string, detail: string) => void
}

/** One instance: its connections, its load, and what is known of its health. */
export class Target {
  readonly origin: string
  readonly pool: Pool
  inFlight = 0
  readonly #options: TargetOptions
  #failures = 0
  #ejectedUntilMs = 0
  #isDown = false
  /** The last thing reported, so that recovery is reported once. */
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

  /** It answered a request. */
  succeeded(): void {
    if (this.#failures === 0) return
    this.#recover()
  }

  /** It refused, reset or timed out. After an ejection ends, one more failure ejects again. */
  failed(reason: string): void {
    this.#failures += 1
    this.#emit('failed', reason)
    if (this.#failures < this.#options.failures) return
    if (this.state === 'healthy') this.#emit('ejected', reason)
    this.#wasOut = true
    this.#ejectedUntilMs = performance.now() + this.#options.ejectionMs
  }

  /** Its health check passed: an ejection ends early. */
  reportUp(): void {
    this.#isDown = false
    this.#recover()
  }

  /** Its health check failed. */
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
    this.#emit('healthy', 'answers again')
  }

  #emit(event: TargetEvent, detail: string): void {
    this.#options.onEvent(event, this.origin, detail)
  }
}
