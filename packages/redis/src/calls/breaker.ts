import { isAnswer, RedisError } from '../errors.ts'

export type BreakerState = 'closed' | 'open' | 'half-open'

/** Whether a call can be sent, and whether its outcome decides for the other calls. */
export type Admission = 'call' | 'probe' | 'refused'

export interface Breaker {
  /** `open` means that calls fail at once. */
  readonly state: BreakerState
  /** Decides about a call. An admitted call ends with `succeed` or `fail`. */
  admit(): Admission
  succeed(admission: Admission): void
  /** An error that is no RedisError is an error of the caller and does not concern the server. */
  fail(admission: Admission, error: unknown): void
}

export interface BreakerOptions {
  /** The number of failed rounds in a row that open the breaker. */
  failures?: number
  /** How long no call is sent then, in ms. */
  coolDownMs?: number
  /** Failures within this time after a counted one belong to its round, in ms. */
  roundMs?: number
  now?: () => number
}

/**
 * Creates a circuit breaker. After `failures` failed rounds in a row, no call is sent for
 * `coolDownMs`. Then one call is a probe, and its success closes the breaker (Nygard, Release It!). All
 * failures within `roundMs` are one round, because one pause or one lost connection fails many calls. A
 * reply of the server, also an error, is no failure: the server is reachable.
 */
export function createBreaker({
  failures = 3,
  coolDownMs = 1_000,
  roundMs = 25,
  now = () => performance.now(),
}: BreakerOptions = {}): Breaker {
  let failed = 0
  let countedAtMs = Number.NEGATIVE_INFINITY
  let openedAtMs = Number.NEGATIVE_INFINITY
  let isProbing = false

  function state(): BreakerState {
    if (failed < failures) return 'closed'
    return isProbing || now() - openedAtMs < coolDownMs ? 'open' : 'half-open'
  }

  function reset(): void {
    if (failed === 0) return
    failed = 0
    countedAtMs = Number.NEGATIVE_INFINITY
  }

  function count(isProbe: boolean): void {
    const nowMs = now()
    if (failed >= failures) {
      openedAtMs = nowMs
      return
    }
    if (!isProbe && nowMs - countedAtMs < roundMs) return
    countedAtMs = nowMs
    failed += 1
    if (failed >= failures) openedAtMs = nowMs
  }

  return {
    get state() {
      return state()
    },
    admit() {
      const before = state()
      if (before === 'closed') return 'call'
      if (before === 'open') return 'refused'
      isProbing = true
      return 'probe'
    },
    succeed(admission) {
      // A call from before the outage can end while the probe is in flight.
      if (admission === 'probe') isProbing = false
      reset()
    },
    fail(admission, error) {
      if (admission === 'probe') isProbing = false
      if (!(error instanceof RedisError)) return
      if (isOfReachableServer(error)) reset()
      else count(admission === 'probe')
    },
  }
}

function isOfReachableServer({ code, cause }: RedisError): boolean {
  return code === 'rejected' || code === 'defect' || isAnswer(cause)
}
