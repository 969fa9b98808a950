import type { IncomingHttpHeaders } from 'node:http'

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

interface Sent {
  method?: string | undefined
  headers: IncomingHttpHeaders
}

/**
 * Whether a request may change something: it is safe, carries no cookie, or comes from a page of
 * this site. A browser names the page in `Origin`, and its relation to us in `Sec-Fetch-Site`. The
 * page may be on the configured origin or on the address that the request was sent to.
 */
export function isSameOrigin({ method = 'GET', headers }: Sent, origin: string): boolean {
  if (SAFE.has(method)) return true
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false
  const page = headers.origin
  if (page === undefined) return site !== undefined || headers.cookie === undefined
  return page === origin || (URL.canParse(page) && new URL(page).host === headers.host)
}
