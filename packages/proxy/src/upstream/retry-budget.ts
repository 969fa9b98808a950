const retriesPerRequest = 0.1
const retriesPerSecond = 10
const maxRetries = 200

export interface RetryBudget {
  /** Adds the share of a first attempt. */
  earn(): void
  /** Takes one retry. Returns false if none is left. */
  spend(): boolean
}

/**
 * Creates a budget of retries: a tenth of the requests and ten for each second. At most 200
 * retries are saved (the retry budget of Twitter's Finagle). So retries do not triple the load of a cluster
 * that fails.
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
