import type { Span, SpanSink } from './span.ts'

/** Ended spans until they are exported. When it is full, the oldest one is dropped and counted. */
export class SpanQueue implements SpanSink {
  /** Spans that were dropped because the queue was full. */
  overflowed = 0
  readonly #spans: (Span | undefined)[]
  #first = 0
  #size = 0

  constructor(capacity: number) {
    this.#spans = Array.from({ length: capacity })
  }

  get size(): number {
    return this.#size
  }

  add(span: Span): void {
    if (this.#size === this.#spans.length) {
      this.take()
      this.overflowed += 1
    }
    this.#spans[(this.#first + this.#size) % this.#spans.length] = span
    this.#size += 1
  }

  /** Removes the oldest span. */
  take(): Span | undefined {
    const span = this.#spans[this.#first]
    if (span === undefined) return undefined
    this.#spans[this.#first] = undefined
    this.#first = (this.#first + 1) % this.#spans.length
    this.#size -= 1
    return span
  }
}
