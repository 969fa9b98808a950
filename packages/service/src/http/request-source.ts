import type { IncomingHttpHeaders } from 'node:http'

/**
 * The origin of the page that sent a request.
 * - `own`: this site or a trusted origin.
 * - `foreign`: another site, another subdomain, another port, or a document without an origin.
 * - `unknown`: the request has neither header, so no current browser sent it with an unsafe method.
 */
export type RequestSource = 'own' | 'foreign' | 'unknown'

// RFC 9110 9.2.1, without TRACE.
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Whether a method only reads, so that a request forged by another site changes nothing. */
export function isSafeMethod(method: string | undefined): boolean {
  return safeMethods.has(method ?? 'GET')
}

/**
 * Returns a function that classifies requests by `Origin` and `Sec-Fetch-Site`. Browsers set both,
 * and no page can change them.
 *
 * - `Origin` equal to `origin` or to one of `trustedOrigins`: `own`.
 * - `Sec-Fetch-Site: same-origin`: `own`, also with `Origin: null`, which a page with the referrer
 *   policy `no-referrer` sends.
 * - `Sec-Fetch-Site: none` without `Origin`: `own`. The user started the request, not a page.
 * - Every other value of either header, `same-site` and `Origin: null` included: `foreign`.
 */
export function createSourceCheck({
  origin,
  trustedOrigins = [],
}: {
  origin: string
  trustedOrigins?: readonly string[] | undefined
}): (headers: IncomingHttpHeaders) => RequestSource {
  const trusted = new Set([origin, ...trustedOrigins].map((each) => new URL(each).origin))

  return (headers) => {
    const sender = headers['origin']
    if (sender !== undefined && trusted.has(sender)) return 'own'
    const site = headers['sec-fetch-site']
    if (site === 'same-origin') return 'own'
    if (site === undefined && sender === undefined) return 'unknown'
    return site === 'none' && sender === undefined ? 'own' : 'foreign'
  }
}
