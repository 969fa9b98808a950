import { isAnswer, RedisError } from '../errors.ts'

export type BreakerState = 'closed' | 'open' | 'half-open'

/** Whether a call may go to the server, and whether its outcome decides for all others. */
export type Admission = 'call' | 'probe' | 'refused'

export interface Breaker {
  /** `open` means that calls fail at once. */
  readonly state: BreakerState
  /** Decides about a call. Each one that is not refused ends with `succeed` or `fail`. */
  admit(): Admission
  succeed(admission: Admission): void
  /** An error that is no RedisError is the caller's own and says nothing about the server. */
  fail(admission: Admission, error: unknown): void
}

export interface BreakerOptions {
  /** The rounds of failures in a row that open the breaker. */
  failures?: number
  /** How long nothing is tried after that, in ms. */
  coolDownMs?: number
  /** Failures within this time of a counted one are of the same round, in ms. */
  roundMs?: number
  now?: () => number
}

/**
 * Circuit breaker: after `failures` rounds of failures in a row nothing is tried for `coolDownMs`;
 * then one call goes through as a probe, and its success closes the breaker (Nygard, Release It!).
 * A round is all failures within `roundMs`: many calls that one pause or one lost connection ends are
 * one failure. An answer of the server, even an error, is no failure: the server is reachable.
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
      // Only the probe's own end: a call from before the outage may end while it runs.
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
