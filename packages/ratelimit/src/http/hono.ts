import type { Context, MiddlewareHandler } from 'hono'
import type { Dimensions } from '../dimensions.ts'
import type { TakeOptions } from '../types.ts'
import { aFunction, requireOptions } from '../validation.ts'
import { createGuard, type GuardOptions } from './guard.ts'

/** The options of the middleware. */
interface RateLimitOptions extends GuardOptions {
  /** The identifiers of a request. */
  dimensions: (c: Context) => Dimensions | Promise<Dimensions>
  /** The cost of a request, or quotas of its caller. */
  options?: (c: Context) => TakeOptions | undefined
}

const EXPECTED = { required: [aFunction('dimensions')], optional: [aFunction('options')] }

/**
 * Limits the handlers after it. A refused request receives a problem document with status 429 or 503,
 * every other response the `RateLimit` headers. The slots of `concurrency` policies are released when
 * the handlers are done.
 * @throws RateLimitError `bad-option`
 */
export function rateLimit(middlewareOptions: RateLimitOptions): MiddlewareHandler {
  requireOptions(middlewareOptions, EXPECTED)
  const { dimensions, options = () => undefined, ...guardOptions } = middlewareOptions
  const guard = createGuard(guardOptions)
  return async function limit(c, next) {
    const found = dimensions(c)
    const { decision, headers, refusal } = await guard(
      found instanceof Promise ? await found : found,
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
