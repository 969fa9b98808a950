/** The times of calls. Without a recorder, a call does not read the clock. */
export class CallTimes {
  #record: ((seconds: number) => void) | undefined

  /** Calls `record` with the time of each call from now on, in seconds. */
  recordTo(record: (seconds: number) => void): void {
    this.#record = record
  }

  /** Returns the time at which a call begins, in ms; 0 without a recorder. */
  begin(): number {
    return this.#record === undefined ? 0 : performance.now()
  }

  /** Records the end of a call that began with a recorder. */
  end(startedMs: number): void {
    if (startedMs > 0) this.#record?.((performance.now() - startedMs) / 1_000)
  }
}
