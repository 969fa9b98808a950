import { rateLimitHeaders } from './headers.ts'
import type { Dimensions } from './identify.ts'
import type { Decision, RateLimiter, TakeOptions } from './limiter-api.ts'
import { problemBody, problemOf } from './problem.ts'

/** What to do with a request. */
export interface Guarded {
  readonly decision: Decision
  /** For the response, whatever it is. */
  readonly headers: [name: string, value: string][]
  /** The whole answer of a request that may not go on; else undefined. */
  readonly refusal:
    | { status: number; headers: [name: string, value: string][]; body: string }
    | undefined
}

/**
 * Limits requests of a server of any kind: takes a request's dimensions, and says which headers its
 * response has and, if it may not go on, what it is answered. A 429 is never cached (RFC 6585 4).
 */
export function createGuard({
  limiter,
  policies,
}: {
  limiter: RateLimiter
  policies: readonly string[]
}): (dimensions: Dimensions, options?: TakeOptions) => Promise<Guarded> {
  return async function guard(dimensions, options) {
    const decision = await limiter.take(policies, dimensions, options)
    const headers = rateLimitHeaders(decision)
    const problem = problemOf(decision)
    if (!problem) return { decision, headers, refusal: undefined }
    const own: [string, string][] = [
      ['Content-Type', 'application/problem+json'],
      ['Cache-Control', 'no-store'],
    ]
    const refusal = {
      status: problem.status,
      headers: [...own, ...headers],
      body: problemBody(problem),
    }
    return { decision, headers, refusal }
  }
}
