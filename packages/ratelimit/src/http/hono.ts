import type { Context, MiddlewareHandler } from 'hono'
import type { Dimensions } from '../dimensions.ts'
import type { RateLimiter, TakeOptions } from '../types.ts'
import { aFunction, requireOptions } from '../validation.ts'
import { createGuard } from './guard.ts'

const EXPECTED = { required: [aFunction('dimensions')], optional: [aFunction('options')] }

/**
 * Limits what comes after it: 429 or 503 as a problem document for what is refused, `RateLimit`
 * headers on everything else. What `concurrency` policies hold is given back when the handlers are
 * done.
 * @throws RateLimitError `bad-option`
 */
export function rateLimit(given: {
  limiter: RateLimiter
  /** By name; each of which the request has an identifier applies. */
  policies: readonly string[]
  /** Who the request is from. */
  dimensions: (c: Context) => Dimensions | Promise<Dimensions>
  /** Its cost, or quotas of its own. */
  options?: (c: Context) => TakeOptions | undefined
}): MiddlewareHandler {
  requireOptions(given, EXPECTED)
  const { limiter, policies, dimensions, options = () => undefined } = given
  const guard = createGuard({ limiter, policies })
  return async function limited(c, next) {
    const who = dimensions(c)
    const { decision, headers, refusal } = await guard(
      who instanceof Promise ? await who : who,
      options(c),
    )
    if (refusal) return new Response(refusal.body, refusal)
    try {
      await next()
    } finally {
      void decision.release()
    }
    for (const [name, value] of headers) c.res.headers.set(name, value)
    return undefined
  }
}
