import { type Member, Members } from '@repo/concurrency'
import { readOptions, requireBodyLimits } from '../options.ts'
import type { ProxyProblemCode } from '../problem.ts'

export interface BodyLimits {
  /** The memory of all incomplete and buffered bodies; 64 MiB by default. Above it: 503. */
  maxBufferedBytes?: number
  /** Simultaneous streamed bodies of one client; 64 by default. Above it: 429. */
  streamedBodiesPerClient?: number
  /**
   * A body whose rate is below `bytesPerSecond` over `windowMs` is a 408; 1,024 over 5 s by default.
   * A client can send `perClient` bodies below 16 times that rate; 16 by default. Above it: 429.
   */
  slowBodies?: { bytesPerSecond?: number; windowMs?: number; perClient?: number }
}

/** A body that a client is sending. */
export interface GuardedBody extends Member {
  readonly client: string
  /** Whether the proxy waits for bytes of the client. Time in which an instance is slow does not count. */
  isAwaited: boolean
  /** Bytes that were received since the window began. */
  windowBytes: number
  /** The awaited time since the window began; -1 before the first sweep. */
  windowMs: number
  refuse(code: ProxyProblemCode): void
}

/** A streamed body occupies the buffers of two streams and of a socket. */
const STREAM_BYTES = 131_072
const SWEEP_MS = 1_000
// A body below this multiple of the lowest rate is slow.
const SLOW_FACTOR = 16

/**
 * Limits the bodies that clients are sending: their memory, their number for each client, and their
 * rate. Proxies of one process share it, so that its memory has one limit. One timer judges all bodies once a second, so a pause of the process counts as one second.
 */
export class BodyGuard {
  readonly #maxBufferedBytes: number
  readonly #streamedPerClient: number
  readonly #slowPerClient: number
  readonly #bytesPerSecond: number
  readonly #windowMs: number
  readonly #bodies = new Members<GuardedBody>()
  readonly #streamed = new Map<string, number>()
  #bufferedBytes = 0
  #timer: NodeJS.Timeout | undefined

  /** @throws ProxyError `bad-option` */
  constructor(bodyLimits: BodyLimits = {}) {
    const limits = readOptions(bodyLimits)
    requireBodyLimits(limits)
    const { maxBufferedBytes = 67_108_864, streamedBodiesPerClient = 64 } = limits
    const { bytesPerSecond = 1_024, windowMs = 5_000, perClient = 16 } = limits.slowBodies ?? {}
    this.#maxBufferedBytes = maxBufferedBytes
    this.#streamedPerClient = streamedBodiesPerClient
    this.#slowPerClient = perClient
    this.#bytesPerSecond = bytesPerSecond
    this.#windowMs = windowMs
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /** Takes memory for a body. Returns false if the limit of all bodies is reached. */
  reserve(bytes: number): boolean {
    if (this.#bufferedBytes + bytes > this.#maxBufferedBytes) return false
    this.#bufferedBytes += bytes
    return true
  }

  release(bytes: number): void {
    this.#bufferedBytes -= bytes
  }

  /** Judges the rate of a body until `leave`. */
  enter(body: GuardedBody): void {
    this.#bodies.add(body)
    this.#timer ??= setInterval(() => this.sweep(), SWEEP_MS).unref()
  }

  leave(body: GuardedBody): void {
    this.#bodies.delete(body)
  }

  /** Counts a streamed body of a client. Returns the reason if it cannot be accepted. */
  enterStream(client: string): ProxyProblemCode | undefined {
    const count = this.#streamed.get(client) ?? 0
    if (count >= this.#streamedPerClient) return 'too_many_bodies'
    if (!this.reserve(STREAM_BYTES)) return 'overloaded'
    this.#streamed.set(client, count + 1)
    return undefined
  }

  leaveStream(client: string): void {
    const count = this.#streamed.get(client) ?? 0
    if (count > 1) this.#streamed.set(client, count - 1)
    else this.#streamed.delete(client)
    this.release(STREAM_BYTES)
  }

  /** Refuses bodies below the lowest rate, and slow bodies of a client above their number. */
  sweep(): void {
    if (this.#bodies.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
      return
    }
    const slow = new Map<string, number>()
    for (const body of this.#bodies.values()) {
      if (body.windowMs < 0) startWindow(body)
      else if (body.isAwaited) this.#judge(body, slow)
    }
  }

  #judge(body: GuardedBody, slow: Map<string, number>): void {
    body.windowMs += SWEEP_MS
    const rate = (body.windowBytes * 1_000) / body.windowMs
    if (rate < this.#bytesPerSecond * SLOW_FACTOR) {
      const count = (slow.get(body.client) ?? 0) + 1
      if (count > this.#slowPerClient) return body.refuse('too_many_bodies')
      slow.set(body.client, count)
    }
    if (body.windowMs < this.#windowMs) return
    if (rate < this.#bytesPerSecond) body.refuse('body_too_slow')
    else startWindow(body)
  }
}

function startWindow(body: GuardedBody): void {
  body.windowMs = 0
  body.windowBytes = 0
}
