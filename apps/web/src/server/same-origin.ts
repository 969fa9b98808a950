import type { IncomingHttpHeaders } from 'node:http'
import { createSourceCheck, isSafeMethod } from '@repo/service'

interface SentRequest {
  method?: string | undefined
  headers: IncomingHttpHeaders
}

/**
 * Returns a function that checks whether a request may change data: it comes from a page of this
 * site, or carries no cookie. The page may be on the configured origin or on the address that
 * the request was sent to.
 */
export function createFormCheck(origin: string): (sent: SentRequest) => boolean {
  const sourceOf = createSourceCheck({ origin })

  return ({ method, headers }) => {
    if (isSafeMethod(method)) return true
    const source = sourceOf(headers)
    if (source === 'unknown') return headers.cookie === undefined
    if (source === 'own') return true
    // A browser that compares the two addresses itself has sent Sec-Fetch-Site.
    const hasCompared = headers['sec-fetch-site'] !== undefined
    return !hasCompared && URL.parse(headers.origin ?? '')?.host === headers.host
  }
}
