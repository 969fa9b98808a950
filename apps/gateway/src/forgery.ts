import type { IncomingMessage } from 'node:http'
import { createSourceCheck, isSafeMethod, type ProblemOptions } from '@repo/service'
import { carriesSessionCookie, cookieSiteOf } from '@repo/session'
import { isUnder } from './path.ts'

export type IsCrossSite = (
  req: Pick<IncomingMessage, 'method' | 'headers'>,
  path: string,
  /** Whether the request is the handshake of a WebSocket. */
  isHandshake?: boolean,
) => boolean

export const crossOrigin: ProblemOptions = {
  status: 403,
  code: 'cross-origin',
  detail:
    'A request with a session cookie that changes data or opens a WebSocket must come from a page of this site. Other clients must send the header Origin with the address of this site.',
}

/**
 * Returns a function that detects requests that a page of another site may have sent with the
 * cookie of the user (cross-site request forgery). It covers every route, so a new service needs no
 * check.
 *
 * - GET, HEAD and OPTIONS are never refused, except the handshake of a WebSocket: no browser applies the
 *   same-origin policy to it, so a foreign page could read and write as the user.
 * - With a session cookie, valid or not, the source must be this site or a trusted origin. A request
 *   without `Origin` and `Sec-Fetch-Site` is refused too: browsers without these headers exist.
 * - Without a session cookie a foreign page can only sign the user in to an account of its choice,
 *   at `/api/auth`. OAuth clients call `/api/auth/oauth2` from their own pages, with credentials.
 */
export function createForgeryCheck(options: {
  origin: string
  trustedOrigins?: readonly string[] | undefined
}): IsCrossSite {
  const sourceOf = createSourceCheck(options)
  const site = cookieSiteOf(options.origin)

  return ({ method, headers }, path, isHandshake = false) => {
    if (isSafeMethod(method) && !isHandshake) return false
    const source = sourceOf(headers)
    if (source === 'own') return false
    if (carriesSessionCookie(headers.cookie, site)) return true
    return source === 'foreign' && isUnder('/api/auth', path) && !isUnder('/api/auth/oauth2', path)
  }
}
