import { createProblem, type ProblemOptions } from '@repo/service'
import type { Decision } from '../types.ts'
import { readArgument } from '../validation.ts'
import { toSeconds } from './headers.ts'

const REGISTRY = 'https://iana.org/assignments/http-problem-types#'

/** What a refused request is told, for `sendProblem`, `ProblemError` or `problemBody`. */
export interface RateLimitProblem extends ProblemOptions {
  /** The policies that refused: `violated-policies` of the draft. */
  readonly violated: readonly string[]
}

/**
 * The problem of a refusal: 429, or 503 when Redis could not decide; undefined when it was allowed.
 * @throws RateLimitError `bad-argument`
 */
export function problemOf(decision: Decision): RateLimitProblem | undefined {
  return readArgument('decision', () => problemOfDecision(decision))
}

function problemOfDecision({
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
 * @throws RateLimitError `bad-argument`
 */
export function problemBody(problem: RateLimitProblem): string {
  return readArgument('problem', () => bodyOf(problem))
}

function bodyOf(problem: RateLimitProblem): string {
  const { type: _, ...document } = createProblem(problem)
  const type = problem.status === 429 ? 'quota-exceeded' : 'temporary-reduced-capacity'
  return JSON.stringify({
    type: REGISTRY + type,
    ...document,
    'violated-policies': problem.violated,
  })
}
