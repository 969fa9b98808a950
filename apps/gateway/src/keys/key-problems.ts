import type { ServerResponse } from 'node:http'
import { type ProblemOptions, sendProblem } from '@repo/service'
import { unavailable } from '@repo/service/hono'
import type { KeyCheck, KeyFault } from './keys.ts'

const details: Record<KeyFault, string> = {
  malformed:
    'The API key is malformed. Send one complete key, which begins with tf_, as a bearer token or in X-API-Key.',
  unknown: 'The API key is not valid.',
  expired: 'The API key has expired. Create another one.',
  revoked: 'The API key is revoked. Create another one.',
}

/** The problem of a route that no API key can use: those of administrators, sessions and keys. */
export const keyNotAccepted: ProblemOptions = {
  status: 403,
  code: 'key-not-accepted',
  detail: 'No API key can use this route. Sign in instead.',
}

/** Refuses a key that is not valid. A 401 during an outage would make programs drop their keys. */
export function refuseKey(
  res: ServerResponse,
  check: Exclude<KeyCheck, { outcome: 'valid' }>,
): void {
  if (check.outcome === 'unavailable') return sendProblem(res, unavailable)
  if (check.outcome === 'throttled') {
    return sendProblem(res, {
      status: 429,
      code: 'too-many-unknown-keys',
      detail: 'Too many unknown API keys came from your network.',
      retryAfter: check.retryAfterSeconds,
    })
  }
  // RFC 6750 3.1
  res.setHeader('WWW-Authenticate', 'Bearer error="invalid_token"')
  sendProblem(res, { status: 401, code: `key-${check.fault}`, detail: details[check.fault] })
}

/** Refuses a valid key that lacks the scope of the route. */
export function refuseScope(res: ServerResponse, scope: string): void {
  res.setHeader('WWW-Authenticate', `Bearer error="insufficient_scope", scope="${scope}"`)
  sendProblem(res, {
    status: 403,
    code: 'missing-scope',
    detail: `The API key needs the scope ${scope} for this request.`,
  })
}
