/**
 * Observes one call, from its begin in the asynchronous context of its caller. The result is called once
 * at the end, with the name of the command and the error, if there is one. Undefined: this call is not
 * observed.
 */
export type ObserveCall = () => ((command: string, error?: unknown) => void) | undefined

/** The times of calls. Without a recorder, a call does not read the clock. */
export class CallTimes {
  /** Whether a recorder or an observer is attached. Without one, the other methods have no effect. */
  isAttached = false
  #record: ((seconds: number) => void) | undefined
  #observe: ObserveCall | undefined

  /** Calls `record` with the time of each call from now on, in seconds. */
  recordTo(record: (seconds: number) => void): void {
    this.#record = record
    this.isAttached = true
  }

  /** Observes each call from now on, for traces. */
  observeBy(observe: ObserveCall): void {
    this.#observe = observe
    this.isAttached = true
  }

  /** Returns the time at which a call begins, in ms; 0 without a recorder. */
  begin(): number {
    return this.#record === undefined ? 0 : performance.now()
  }

  /** Records the end of a call that began with a recorder. */
  end(startedMs: number): void {
    if (startedMs > 0) this.#record?.((performance.now() - startedMs) / 1_000)
  }

  /** Begins the observation of a call. */
  observe(): ReturnType<ObserveCall> {
    return this.#observe?.()
  }
}
