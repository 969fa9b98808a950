import { transportSecurity } from '@repo/service'

/** No script, style, image or frame: a response of the API is data, also in a browser's window. */
const NO_CONTENT = "default-src 'none'; frame-ancestors 'none'"

export interface SecurityHeaders {
  /** The raw headers of the gateway's own responses. A route can replace one, such as its policy. */
  readonly own: readonly string[]
  /**
   * Adds raw headers to those of an upstream's response, unless the upstream sent them. They work for
   * data and for pages.
   */
  addTo(headers: string[]): void
}

/**
 * Returns the headers that limit what a browser does with a response. A site with https has
 * Strict-Transport-Security, with which browsers use only https for a year (RFC 6797).
 *
 * @param origin the public origin of the site
 */
export function createSecurityHeaders(origin: string): SecurityHeaders {
  const both = [
    'X-Content-Type-Options',
    'nosniff',
    'Referrer-Policy',
    'strict-origin-when-cross-origin',
    ...transportSecurity(origin),
  ]
  const forwarded = [...both, 'Content-Security-Policy', "frame-ancestors 'none'"]
  const names = forwarded.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())
  const lengths = new Set(names.map(({ length }) => length))

  return {
    own: [
      ...both,
      'Content-Security-Policy',
      NO_CONTENT,
      'X-Frame-Options',
      'DENY',
      'Cross-Origin-Resource-Policy',
      'same-origin',
    ],
    addTo(headers) {
      // Runs for each forwarded response. Nearly all names differ in length from those here.
      let sent = 0
      for (let i = 0; i < headers.length; i += 2) {
        const name = headers[i] ?? ''
        if (!lengths.has(name.length)) continue
        const at = names.indexOf(name.toLowerCase())
        if (at !== -1) sent |= 1 << at
      }
      for (let at = 0; at < names.length; at += 1) {
        if ((sent & (1 << at)) !== 0) continue
        headers.push(forwarded[2 * at] ?? '', forwarded[2 * at + 1] ?? '')
      }
    },
  }
}
