/** The kinds of spans, with their numbers in OTLP. */
export const spanKinds = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const

export type SpanKind = keyof typeof spanKinds

export type AttributeValue = string | number | boolean

/** The ids of a span, possibly of another process. */
export interface SpanIds {
  readonly traceId: string
  readonly spanId: string
}

/** Receives each span once, at its end. It never throws. */
export interface SpanSink {
  add(span: Span): void
}

/** A span has at most this number of attributes. Further ones are ignored. */
const MAX_ATTRIBUTES = 24
/** Longer names and values are cut, so that the memory of a span is bounded. */
const MAX_TEXT = 200

/**
 * One operation of a recorded trace, in this process. Attributes come from our code only: a text that
 * a client chose can contain a secret.
 */
export class Span implements SpanIds {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly kind: SpanKind
  readonly startedAtMs: number
  endedAtMs = 0
  isError = false
  /** A span that caused this one and is no parent of it. */
  link: SpanIds | undefined
  /** `[key, value, key, value, ...]`. */
  readonly attributes: AttributeValue[] = []
  readonly #sink: SpanSink
  #name = ''
  #isEnded = false

  /** @param startedAtMs the monotonic time in ms; now by default */
  constructor(
    sink: SpanSink,
    name: string,
    kind: SpanKind,
    { traceId, spanId }: SpanIds,
    parentSpanId?: string,
    startedAtMs = performance.now(),
  ) {
    this.#sink = sink
    this.name = name
    this.kind = kind
    this.traceId = traceId
    this.spanId = spanId
    this.parentSpanId = parentSpanId
    this.startedAtMs = startedAtMs
  }

  get name(): string {
    return this.#name
  }

  set name(name: string) {
    this.#name = name.length > MAX_TEXT ? name.slice(0, MAX_TEXT) : name
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** The header for a request that this span sends (W3C Trace Context). */
  get traceparent(): string {
    return `00-${this.traceId}-${this.spanId}-01`
  }

  /** Sets an attribute. Nothing happens after the end, and above the limit of attributes. */
  set(key: string, value: AttributeValue): this {
    const { attributes } = this
    if (this.#isEnded) return this
    const given =
      typeof value === 'string' && value.length > MAX_TEXT ? value.slice(0, MAX_TEXT) : value
    for (let at = 0; at < attributes.length; at += 2) {
      if (attributes[at] !== key) continue
      attributes[at + 1] = given
      return this
    }
    if (attributes.length < 2 * MAX_ATTRIBUTES) attributes.push(key, given)
    return this
  }

  /** Adds to an attribute that is a number. */
  add(key: string, amount: number): this {
    const at = this.attributes.indexOf(key)
    const sum = at === -1 ? 0 : this.attributes[at + 1]
    return this.set(key, amount + (typeof sum === 'number' ? sum : 0))
  }

  /** Creates a span below this one. */
  child(name: string, kind: SpanKind, spanId: string, startedAtMs?: number): Span {
    const ids = { traceId: this.traceId, spanId }
    return new Span(this.#sink, name, kind, ids, this.spanId, startedAtMs)
  }

  /** Ends the span. Only the first call counts. */
  end(endedAtMs = performance.now()): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.endedAtMs = endedAtMs
    this.#sink.add(this)
  }
}
