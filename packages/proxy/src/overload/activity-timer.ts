/** The interval of the samples, in ms. */
export const sampleMs = 20
/** A timer without requests for this time stops. */
export const activeMs = 1_000

export interface ActivityTimerOptions {
  now: () => number
  /** Calls `tick` every `ms`, and returns a function that stops it. */
  every: (ms: number, tick: () => void) => () => void
  /** Called when the timer starts, before its first sample. */
  onStart: (nowMs: number) => void
  onSample: (nowMs: number) => void
}

/** Samples the event loop while requests arrive. A process without requests has no timer. */
export class ActivityTimer {
  readonly #options: ActivityTimerOptions
  #stop: (() => void) | undefined
  #requestAtMs = 0

  constructor(options: ActivityTimerOptions) {
    this.#options = options
  }

  /** A request arrives. Returns false if it has started the timer, so that there is no sample yet. */
  use(nowMs: number): boolean {
    this.#requestAtMs = nowMs
    if (this.#stop) return true
    this.#stop = this.#options.every(sampleMs, this.#tick)
    this.#options.onStart(nowMs)
    return false
  }

  readonly #tick = (): void => {
    const nowMs = this.#options.now()
    this.#options.onSample(nowMs)
    if (nowMs - this.#requestAtMs < activeMs) return
    this.#stop?.()
    this.#stop = undefined
  }
}

export const readClock = () => performance.now()

export function everyMs(ms: number, tick: () => void): () => void {
  const timer = setInterval(tick, ms).unref()
  return () => clearInterval(timer)
}
