import type { Dimensions } from '../dimensions.ts'
import type { Decision, RateLimiter, TakeOptions } from '../types.ts'
import { aFunction, anObjectWith, policyNames, requireOptions } from '../validation.ts'
import { rateLimitHeaders } from './headers.ts'
import { problemBody, problemOf } from './problem.ts'

/** The result of a guard. */
export interface Guarded {
  readonly decision: Decision
  /** Headers of the response, for every outcome. */
  readonly headers: [name: string, value: string][]
  /** The whole response to a refused request; undefined for an allowed one. */
  readonly refusal:
    | { status: number; headers: [name: string, value: string][]; body: string }
    | undefined
}

/** The options of `createGuard`. */
export interface GuardOptions {
  limiter: RateLimiter
  /** Names of policies. A policy applies if the request has an identifier for it. */
  policies: readonly string[]
  /** A URI of the current request: the `instance` of problem documents (RFC 9457 3.1.5). */
  problemInstance?: () => string | undefined
}

const EXPECTED = {
  required: [anObjectWith('limiter', ['take']), policyNames],
  optional: [aFunction('problemInstance')],
}

/** Limits a request. Rejects and throws as `take` and `takeNow` of the limiter. */
export interface Guard {
  (dimensions: Dimensions, takeOptions?: TakeOptions): Promise<Guarded>
  /** Returns a promise only if the store makes the decision. */
  now(dimensions: Dimensions, takeOptions?: TakeOptions): Guarded | Promise<Guarded>
}

/**
 * Limits the requests of any kind of server. The returned function receives the dimensions of a request
 * and returns the headers of its response and, if it is refused, the whole response. A 429 is never
 * cached (RFC 6585 4).
 * @throws RateLimitError `bad-option`
 */
export function createGuard(options: GuardOptions): Guard {
  requireOptions(options, EXPECTED)
  const { limiter, policies, problemInstance } = options

  function toGuarded(decision: Decision): Guarded {
    const headers = rateLimitHeaders(decision)
    const problem = problemOf(decision)
    if (!problem) return { decision, headers, refusal: undefined }
    const problemHeaders: [string, string][] = [
      ['Content-Type', 'application/problem+json'],
      ['Cache-Control', 'no-store'],
    ]
    const refusal = {
      status: problem.status,
      headers: [...problemHeaders, ...headers],
      body: problemBody(problem, problemInstance?.()),
    }
    return { decision, headers, refusal }
  }

  async function guard(dimensions: Dimensions, takeOptions?: TakeOptions): Promise<Guarded> {
    return toGuarded(await limiter.take(policies, dimensions, takeOptions))
  }

  return Object.assign(guard, {
    now(dimensions: Dimensions, takeOptions?: TakeOptions): Guarded | Promise<Guarded> {
      const decision = limiter.takeNow(policies, dimensions, takeOptions)
      return decision instanceof Promise ? decision.then(toGuarded) : toGuarded(decision)
    },
  })
}
