import { createDeadlines, type Deadline, type Deadlines } from '@repo/concurrency'
import { MAX_TIMER_MS } from './options.ts'

/** The time that a request has left, in ms, as instances receive it. */
export const DEADLINE_HEADER = 'x-request-deadline'

const MAX_DURATIONS = 256

/** A deadline of one request, which can be ended. */
export interface RequestDeadline {
  end(): void
  /** The time that is left, in ms; at least 1. */
  leftMs(): number
}

/**
 * The total deadlines of requests. All requests with the same deadline share one timer, and only
 * time in which our event loop ran counts.
 */
export class RequestDeadlines {
  readonly #byDuration = new Map<number, Deadlines>()

  start(ms: number, onLate: () => void): RequestDeadline {
    const deadlines = this.#of(ms)
    const deadline: Deadline = deadlines.start(onLate)
    const endsAtMs = performance.now() + ms
    return {
      end: () => void deadlines.end(deadline),
      leftMs: () => Math.max(1, Math.round(endsAtMs - performance.now())),
    }
  }

  #of(ms: number): Deadlines {
    const shared = this.#byDuration.get(ms)
    if (shared) return shared
    // A function can return any number of durations. Those in use continue without the map.
    if (this.#byDuration.size >= MAX_DURATIONS) this.#byDuration.clear()
    const deadlines = createDeadlines({ ms })
    this.#byDuration.set(ms, deadlines)
    return deadlines
  }
}

/** Returns the deadline that a trusted proxy has sent, in ms. */
export function readDeadline(value: string | string[] | undefined): number | undefined {
  if (typeof value !== 'string' || !/^[1-9][0-9]{0,9}$/.test(value)) return undefined
  return Math.min(Number(value), MAX_TIMER_MS)
}
