const retriesPerRequest = 0.2
const retriesPerSecond = 10
const maxRetries = 200

export interface RetryBudget {
  /** A first attempt is made. */
  earn(): void
  /** Takes one retry, or says that there is none left. */
  spend(): boolean
}

/**
 * Bounds retries to a fifth of the requests, so that a dead cluster is not asked three times as
 * often as a living one. Ten a second are always free, and at most 200 are saved up (the retry
 * budget of Twitter's Finagle).
 */
export function createRetryBudget(now = () => performance.now()): RetryBudget {
  let saved = maxRetries
  let atMs = now()

  return {
    earn() {
      saved = Math.min(maxRetries, saved + retriesPerRequest)
    },
    spend() {
      const nowMs = now()
      saved = Math.min(maxRetries, saved + ((nowMs - atMs) / 1_000) * retriesPerSecond)
      atMs = nowMs
      if (saved < 1) return false
      saved -= 1
      return true
    },
  }
}
