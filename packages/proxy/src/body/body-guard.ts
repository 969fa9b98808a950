import { type Member, Members } from '../members.ts'
import type { ProxyProblemCode } from '../problem.ts'

export interface BodyLimits {
  /** Bytes of all bodies that wait in this process. */
  maxBufferedBytes: number
  /** Simultaneous streamed bodies of one client. */
  streamedPerClient: number
  /** Simultaneous slow bodies of one client. */
  slowPerClient: number
  /** The lowest average rate of a body. */
  bytesPerSecond: number
  /** The time over which a rate is averaged. A body is first judged after this time. */
  windowMs: number
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
 * rate. One timer judges all bodies once a second, so a pause of the process counts as one second.
 */
export class BodyGuard {
  readonly #limits: BodyLimits
  readonly #bodies = new Members<GuardedBody>()
  readonly #streamed = new Map<string, number>()
  #bufferedBytes = 0
  #timer: NodeJS.Timeout | undefined

  constructor(limits: BodyLimits) {
    this.#limits = limits
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /** Takes memory for a body. Returns false if the limit of all bodies is reached. */
  reserve(bytes: number): boolean {
    if (this.#bufferedBytes + bytes > this.#limits.maxBufferedBytes) return false
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
    if (count >= this.#limits.streamedPerClient) return 'too_many_bodies'
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
    const { bytesPerSecond, windowMs, slowPerClient } = this.#limits
    body.windowMs += SWEEP_MS
    const rate = (body.windowBytes * 1_000) / body.windowMs
    if (rate < bytesPerSecond * SLOW_FACTOR) {
      const count = (slow.get(body.client) ?? 0) + 1
      if (count > slowPerClient) return body.refuse('too_many_bodies')
      slow.set(body.client, count)
    }
    if (body.windowMs < windowMs) return
    if (rate < bytesPerSecond) body.refuse('body_too_slow')
    else startWindow(body)
  }
}

function startWindow(body: GuardedBody): void {
  body.windowMs = 0
  body.windowBytes = 0
}
