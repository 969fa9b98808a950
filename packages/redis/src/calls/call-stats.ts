import { isAnswer, RedisError, type RedisErrorCode } from '../errors.ts'

export type FailureCode = Exclude<RedisErrorCode, 'bad-option'>

export interface CallStats {
  /** Calls that failed since the connection was created, by the code of their error. */
  readonly failures: Readonly<Record<FailureCode, number>>
  /** The last error reply that is no defect, with its monotonic time in ms. */
  readonly lastRefusal: { readonly error: RedisError; readonly atMs: number } | undefined
}

/** Counts failed calls, so that a server that refuses some of them is visible. */
export function createCallStats(): { stats: CallStats; note: (error: unknown) => void } {
  const failures = { unavailable: 0, timeout: 0, rejected: 0, defect: 0 }
  let lastRefusal: CallStats['lastRefusal']
  return {
    stats: {
      failures,
      get lastRefusal() {
        return lastRefusal
      },
    },
    note(error) {
      if (!(error instanceof RedisError) || error.code === 'bad-option') return
      failures[error.code] += 1
      if (error.code === 'defect' || !isAnswer(error.cause)) return
      lastRefusal = { error, atMs: performance.now() }
    },
  }
}
