import type { Waiting } from './waiting.ts'

/** A stream is a response without an end: an event stream or a WebSocket. */
export type SlotKind = 'request' | 'stream'

export interface SlotLimits {
  requests: number
  streams: number
}

/**
 * The simultaneous requests and streams of one instance. Each kind has its limit, so streams never
 * use up the connections of requests.
 */
export class Slots {
  /** The requests that wait for a slot of any instance of the same upstream. */
  readonly waiting: Waiting
  readonly #limits: SlotLimits
  #requests = 0
  #streams = 0

  constructor(waiting: Waiting, limits: SlotLimits) {
    this.waiting = waiting
    this.#limits = limits
  }

  /** Takes a slot. Returns false if all of its kind are in use. */
  take(kind: SlotKind): boolean {
    if (kind === 'stream') {
      if (this.#streams >= this.#limits.streams) return false
      this.#streams += 1
    } else {
      if (this.#requests >= this.#limits.requests) return false
      this.#requests += 1
    }
    return true
  }

  /** Returns a slot. A waiting request gets it at once. */
  release(kind: SlotKind): void {
    if (kind === 'stream') {
      this.#streams -= 1
    } else {
      this.#requests -= 1
      this.waiting.wake()
    }
  }

  /** Exchanges the slot of a request, whose response is a stream. Returns false if none is free. */
  becomeStream(): boolean {
    if (!this.take('stream')) return false
    this.release('request')
    return true
  }
}
