import { STATUS_CODES } from 'node:http'
import type { Decision } from '../types.ts'
import { readArgument } from '../validation.ts'
import { toSeconds } from './headers.ts'

const REGISTRY = 'https://iana.org/assignments/http-problem-types#'

/** The problem of a refused request. It has the shape of the problem options of `@repo/service`. */
export interface RateLimitProblem {
  readonly status: number
  readonly code: string
  readonly detail: string
  /** Seconds. */
  readonly retryAfter?: number
  /** The policies that refuse: `violated-policies` of the draft. */
  readonly violated: readonly string[]
}

/**
 * The problem of a refusal: 429, or 503 when Redis is unavailable (R6); undefined if it was allowed.
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
 * The problem document (RFC 9457) with the policies that refuse. Its types are those of
 * draft-ietf-httpapi-ratelimit-headers-11.
 * @param instance a URI of the request
 * @throws RateLimitError `bad-argument`
 */
export function problemBody(problem: RateLimitProblem, instance?: string): string {
  return readArgument('problem', () => bodyOf(problem, instance))
}

function bodyOf({ status, detail, violated }: RateLimitProblem, instance?: string): string {
  const type = status === 429 ? 'quota-exceeded' : 'temporary-reduced-capacity'
  return JSON.stringify({
    type: REGISTRY + type,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    instance,
    'violated-policies': violated,
  })
}
