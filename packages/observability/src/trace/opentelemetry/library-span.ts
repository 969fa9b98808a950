import {
  type Attributes,
  type AttributeValue,
  type Exception,
  type Span as ApiSpan,
  type SpanContext,
  SpanKind as ApiKind,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
} from '@opentelemetry/api'
import type { Span, SpanKind } from '../span.ts'
import { cleanName, isRecorded } from './clean.ts'
import { monotonicMs } from './time.ts'

const kinds: Record<ApiKind, SpanKind> = {
  [ApiKind.INTERNAL]: 'internal',
  [ApiKind.SERVER]: 'server',
  [ApiKind.CLIENT]: 'client',
  [ApiKind.PRODUCER]: 'producer',
  [ApiKind.CONSUMER]: 'consumer',
}

/** Returns the name of a kind of `@opentelemetry/api`. */
export function kindOf(kind: ApiKind = ApiKind.INTERNAL): SpanKind {
  return kinds[kind] ?? 'internal'
}

/** A span as libraries use it. Events and links are not recorded. */
export class LibrarySpan implements ApiSpan {
  readonly record: Span
  readonly #isOwned: boolean

  /** @param isOwned false for the span of a request: libraries only add attributes to it */
  constructor(record: Span, isOwned = true) {
    this.record = record
    this.#isOwned = isOwned
  }

  spanContext(): SpanContext {
    const { traceId, spanId } = this.record
    return { traceId, spanId, traceFlags: 1 }
  }

  setAttribute(key: string, value: AttributeValue): this {
    return this.#set(key, value)
  }

  setAttributes(attributes: Attributes): this {
    for (const [key, value] of Object.entries(attributes)) this.#set(key, value)
    return this
  }

  /** Lists are not recorded. */
  #set(key: string, value: unknown): this {
    const isFigure = typeof value === 'number' || typeof value === 'boolean'
    if (isFigure || (typeof value === 'string' && isRecorded(key))) this.record.set(key, value)
    return this
  }

  addEvent(): this {
    return this
  }

  addLink(): this {
    return this
  }

  addLinks(): this {
    return this
  }

  /** The message of a status can contain values of a client. */
  setStatus({ code }: SpanStatus): this {
    if (this.#canChange()) this.record.isError = code === SpanStatusCode.ERROR
    return this
  }

  updateName(name: string): this {
    if (this.#canChange()) this.record.name = cleanName(name)
    return this
  }

  end(time?: TimeInput): void {
    if (this.#isOwned) this.record.end(monotonicMs(time))
  }

  #canChange(): boolean {
    return this.#isOwned && !this.record.isEnded
  }

  isRecording(): boolean {
    return !this.record.isEnded
  }

  recordException(exception: Exception): void {
    const type = typeof exception === 'object' ? (exception.name ?? exception.code) : undefined
    this.record.set('error.type', type === undefined ? 'unknown' : String(type))
  }
}
