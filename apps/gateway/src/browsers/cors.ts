import type { IncomingMessage } from 'node:http'
import type { ProblemOptions } from '@repo/service'
import { isUnder } from '../path.ts'

/**
 * The decision of the rules for pages of other origins about a request. `headers` are raw headers of the
 * response, also of a refusal.
 * - `none`: no preflight request. The request continues, and the browser enforces the headers.
 * - `preflight`: the request is answered with 204 and these headers.
 * - `refused`: a preflight request of an origin that is not in the list.
 */
interface CorsDecision {
  readonly outcome: 'none' | 'preflight' | 'refused'
  readonly headers: readonly string[]
}

export interface Cors {
  check(req: Pick<IncomingMessage, 'method' | 'headers'>, path: string): CorsDecision
  /** The raw headers of every other response: it depends on the origin of the page. */
  readonly vary: readonly string[]
}

export const originRefused: ProblemOptions = {
  status: 403,
  code: 'origin-refused',
  detail: 'Pages of this origin cannot call the API. CORS_ORIGINS lists the origins that can.',
}

const ALLOWED_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'
const ALLOWED_HEADERS =
  'Accept, Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Api-Key, X-Request-Id, traceparent'
const EXPOSED_HEADERS =
  'ETag, Idempotency-Replay-Unavailable, Idempotency-Replayed, Idempotency-Status, Location, RateLimit, RateLimit-Policy, Retry-After, X-Instance-Id, X-Request-Id'
/** How long a browser reuses the answer to a preflight request, in seconds. */
const MAX_AGE_S = 600

// These endpoints serve pages of every OAuth client, whose origins the authorization server checks.
const OWN_RULES = ['/api/auth/oauth2', '/.well-known']

/**
 * Returns the rules that decide which pages of other origins can read responses (Fetch standard,
 * CORS protocol). An origin is equal to one of `origins`, or it gets no header: nothing that the
 * client sent is repeated. Cookies are allowed for an origin that is also in `trustedOrigins`, because
 * only these can send changes with a session cookie (`createForgeryCheck`).
 *
 * @param origins the allow-list; nothing varies by `Origin` if it is empty
 */
export function createCors({
  origins = [],
  trustedOrigins = [],
}: {
  origins?: readonly string[] | undefined
  trustedOrigins?: readonly string[] | undefined
}): Cors {
  const vary = origins.length > 0 ? ['Vary', 'Origin'] : []
  const none: CorsDecision = { outcome: 'none', headers: [] }
  const refused: CorsDecision = { outcome: 'refused', headers: vary }
  const trusted = new Set(trustedOrigins.map((each) => new URL(each).origin))
  const allowed = new Map(
    origins.map((origin) => {
      const credentials = trusted.has(origin) ? ['Access-Control-Allow-Credentials', 'true'] : []
      const shared = ['Access-Control-Allow-Origin', origin, ...credentials]
      const plain: CorsDecision = {
        outcome: 'none',
        headers: [...shared, 'Access-Control-Expose-Headers', EXPOSED_HEADERS],
      }
      const preflight: CorsDecision = {
        outcome: 'preflight',
        headers: [
          ...vary,
          ...shared,
          'Access-Control-Allow-Methods',
          ALLOWED_METHODS,
          'Access-Control-Allow-Headers',
          ALLOWED_HEADERS,
          'Access-Control-Max-Age',
          String(MAX_AGE_S),
        ],
      }
      return [origin, { plain, preflight }]
    }),
  )

  function check({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>, path: string) {
    const sender = headers.origin
    if (sender === undefined) return none
    const entry = allowed.get(sender)
    const isPreflight =
      method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
    if (!isPreflight) return entry?.plain ?? none
    if (entry) return entry.preflight
    return OWN_RULES.some((prefix) => isUnder(prefix, path)) ? none : refused
  }

  return { check, vary }
}
