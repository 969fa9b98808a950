import { createProblem, type ProblemOptions } from '@repo/service'
import { toSeconds } from './headers.ts'
import type { Decision } from './limiter-api.ts'

const REGISTRY = 'https://iana.org/assignments/http-problem-types#'

/** What a refused request is told, for `sendProblem`, `ProblemError` or `problemBody`. */
export interface RateLimitProblem extends ProblemOptions {
  /** The policies that refused: `violated-policies` of the draft. */
  readonly violated: readonly string[]
}

/** The problem of a refusal: 429, or 503 when nobody could say; undefined when it was allowed. */
export function problemOf({
  outcome,
  violated,
  retryAfterMs,
}: Decision): RateLimitProblem | undefined {
  if (outcome === 'allowed') return undefined
  const retryAfter = Number.isFinite(retryAfterMs) ? { retryAfter: toSeconds(retryAfterMs) } : {}
  if (outcome === 'unavailable') {
    const detail = 'Limits cannot be checked at the moment. Try again shortly.'
    return { status: 503, code: 'rate-limit-unavailable', detail, violated, ...retryAfter }
  }
  const policies = violated.join(', ')
  const detail = `The quota of ${policies} is used up.`
  return { status: 429, code: 'rate-limited', detail, violated, ...retryAfter }
}

/**
 * The problem document: RFC 9457, of the types that draft-ietf-httpapi-ratelimit-headers-11 defines,
 * with the policies that refused.
 */
export function problemBody(problem: RateLimitProblem): string {
  const { type: _, ...document } = createProblem(problem)
  const type = problem.status === 429 ? 'quota-exceeded' : 'temporary-reduced-capacity'
  return JSON.stringify({
    type: REGISTRY + type,
    ...document,
    'violated-policies': problem.violated,
  })
}
