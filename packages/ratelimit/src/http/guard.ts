import type { Dimensions } from '../dimensions.ts'
import type { Decision, RateLimiter, TakeOptions } from '../types.ts'
import { anObjectWith, policyNames, requireOptions } from '../validation.ts'
import { rateLimitHeaders } from './headers.ts'
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

const EXPECTED = { required: [anObjectWith('limiter', ['take']), policyNames], optional: [] }

/**
 * Limits requests of a server of any kind: takes a request's dimensions, and says which headers its
 * response has and, if it may not go on, what it is answered. A 429 is never cached (RFC 6585 4).
 * @throws RateLimitError `bad-option`
 */
export function createGuard(given: {
  limiter: RateLimiter
  policies: readonly string[]
}): (dimensions: Dimensions, options?: TakeOptions) => Promise<Guarded> {
  requireOptions(given, EXPECTED)
  const { limiter, policies } = given
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
