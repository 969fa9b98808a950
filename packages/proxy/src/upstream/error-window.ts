const buckets = 10

/** The share of errors in a sliding window of ten buckets. */
export class ErrorWindow {
  readonly #bucketMs: number
  readonly #totals = new Uint32Array(buckets)
  readonly #errors = new Uint32Array(buckets)
  #bucket = 0
  total = 0
  errors = 0

  /** @param windowMs the length of the window */
  constructor(windowMs: number) {
    this.#bucketMs = windowMs / buckets
  }

  /** Records a result, and removes those that left the window. */
  record(isError: boolean, nowMs: number): void {
    this.advance(nowMs)
    const i = this.#bucket % buckets
    this.#totals[i] = (this.#totals[i] ?? 0) + 1
    this.total += 1
    if (!isError) return
    this.#errors[i] = (this.#errors[i] ?? 0) + 1
    this.errors += 1
  }

  /** Removes the results that left the window. */
  advance(nowMs: number): void {
    const bucket = Math.floor(nowMs / this.#bucketMs)
    const left = Math.min(buckets, bucket - this.#bucket)
    for (let i = 1; i <= left; i += 1) this.#clear((this.#bucket + i) % buckets)
    if (left > 0) this.#bucket = bucket
  }

  reset(): void {
    for (let i = 0; i < buckets; i += 1) this.#clear(i)
  }

  #clear(i: number): void {
    this.total -= this.#totals[i] ?? 0
    this.errors -= this.#errors[i] ?? 0
    this.#totals[i] = 0
    this.#errors[i] = 0
  }
}
