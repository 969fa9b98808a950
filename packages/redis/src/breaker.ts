import { isAnswer, RedisError } from './errors.ts'

export type BreakerState = 'closed' | 'open' | 'half-open'

export interface Breaker {
  /** Where the breaker stands; `open` means that calls fail at once. */
  readonly state: BreakerState
  /**
   * Runs `call`, or fails at once while the breaker is open.
   * @throws RedisError `unavailable` while open; else whatever `call` throws
   */
  run<T>(call: () => Promise<T>): Promise<T>
}

/**
 * Circuit breaker: after `failures` consecutive failures nothing is tried for `coolDownMs`; then
 * one call goes through as a probe, and its success closes the breaker (Nygard, Release It!).
 * An answer of the server, even an error, is no failure: the server is there. An error that is no
 * `RedisError` is the caller's own and says nothing about the server.
 */
export function createBreaker({
  failures = 3,
  coolDownMs = 1_000,
  now = () => performance.now(),
}: { failures?: number; coolDownMs?: number; now?: () => number } = {}): Breaker {
  let failed = 0
  let openedAtMs = Number.NEGATIVE_INFINITY
  let probing = false

  function state(): BreakerState {
    if (failed < failures) return 'closed'
    return probing || now() - openedAtMs < coolDownMs ? 'open' : 'half-open'
  }

  function note(error: unknown) {
    if (!(error instanceof RedisError)) return
    if (error.code === 'rejected' || error.code === 'defect' || isAnswer(error.cause)) {
      failed = 0
      return
    }
    failed += 1
    openedAtMs = now()
  }

  return {
    get state() {
      return state()
    },
    async run(call) {
      const before = state()
      if (before === 'open') throw new RedisError('unavailable', 'Redis is not answering')
      const isProbe = before === 'half-open'
      if (isProbe) probing = true
      try {
        const answer = await call()
        failed = 0
        return answer
      } catch (error) {
        note(error)
        throw error
      } finally {
        // Only the probe's own end: a call from before the outage may end while it runs.
        if (isProbe) probing = false
      }
    },
  }
}
