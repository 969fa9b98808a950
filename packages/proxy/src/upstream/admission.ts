import { ErrorWindow } from './error-window.ts'

/** Opens an upstream when too many of its requests fail, on all of its targets together. */
export interface BreakerOptions {
  /** The share of errors that opens the breaker; 0.5 by default. */
  errorRate?: number
  /** The number of results in the window from which the share counts; 20 by default. */
  minimumRequests?: number
  /** The length of the window in ms; 10,000 by default. */
  windowMs?: number
  /** How long all requests are refused, in ms; 5,000 by default. Then one request at a time is tried. */
  openMs?: number
}

/** The reason why an upstream accepts no request, and when to try again. */
export interface Refusal {
  code: 'circuit_open' | 'upstream_overloaded'
  retryAfterS: number
}

export interface Admission {
  /** Returns a refusal, or undefined if a request may be sent. */
  check(inFlight: number): Refusal | undefined
  /** Records a result of an instance. */
  record(isError: boolean, nowMs: number): void
}

const overloaded: Refusal = { code: 'upstream_overloaded', retryAfterS: 1 }

/**
 * The bulkhead and the breaker of an upstream. The bulkhead refuses requests over `maxInFlight`, so
 * that one slow upstream does not use all memory and sockets. The breaker refuses all requests for a
 * time after too many failed, and then tries one at a time.
 */
export function createAdmission(
  maxInFlight: number,
  breaker: BreakerOptions | undefined,
  now = () => performance.now(),
): Admission {
  const isOverloaded = (inFlight: number) => (inFlight >= maxInFlight ? overloaded : undefined)
  if (!breaker) return { check: isOverloaded, record: () => undefined }
  const { errorRate = 0.5, minimumRequests = 20, windowMs = 10_000, openMs = 5_000 } = breaker
  const window = new ErrorWindow(windowMs)
  let openUntilMs = 0
  let isOpen = false
  /** Until when the request that is tried after an opening has time to complete. */
  let trialUntilMs = 0

  return {
    check(inFlight) {
      if (!isOpen) return isOverloaded(inFlight)
      const nowMs = now()
      const untilMs = Math.max(openUntilMs, trialUntilMs)
      if (nowMs < untilMs) {
        return { code: 'circuit_open', retryAfterS: Math.ceil((untilMs - nowMs) / 1_000) }
      }
      trialUntilMs = nowMs + openMs
      return undefined
    },
    record(isError, nowMs) {
      if (isOpen) {
        // Requests from before the opening may still fail.
        if (nowMs < openUntilMs) return
        trialUntilMs = 0
        if (isError) openUntilMs = nowMs + openMs
        else isOpen = false
        return
      }
      window.record(isError, nowMs)
      if (window.total < minimumRequests || window.errors < window.total * errorRate) return
      isOpen = true
      openUntilMs = nowMs + openMs
      window.reset()
    },
  }
}
