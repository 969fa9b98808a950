import { createHmac, timingSafeEqual } from 'node:crypto'

/** Better Auth's cookie: the `__Secure-` name over https. */
const NAMES = new Set(['__Secure-better-auth.session_token', 'better-auth.session_token'])
/** Token (32) + dot + base64 of 32 bytes, percent-encoded; anything longer is none of ours. */
const MAX_LENGTH = 256

export type CookieCheck = { outcome: 'signed'; token: string } | { outcome: 'none' }

/**
 * The session token of a request, if its signature is ours: `token.base64(HMAC-SHA256(token))`. A
 * tampered, truncated, oversized or doubled cookie is `none`, before any store is asked.
 */
export function readSessionCookie(header: string | undefined, secret: string): CookieCheck {
  const values = (header ?? '').split('; ').flatMap(sessionValue)
  // Two session cookies are a fixation attempt or a broken client: neither can be trusted.
  const [value, second] = values
  if (value === undefined || second !== undefined || value.length > MAX_LENGTH) {
    return { outcome: 'none' }
  }
  const dot = value.lastIndexOf('.')
  const token = value.slice(0, dot)
  const given = Buffer.from(value.slice(dot + 1), 'base64')
  const expected = createHmac('sha256', secret).update(token).digest()
  const ours = dot > 0 && given.length === expected.length && timingSafeEqual(given, expected)
  return ours ? { outcome: 'signed', token } : { outcome: 'none' }
}

function sessionValue(pair: string): string[] {
  const equals = pair.indexOf('=')
  if (!NAMES.has(pair.slice(0, equals))) return []
  try {
    return [decodeURIComponent(pair.slice(equals + 1))]
  } catch {
    // Broken percent-encoding: counts as a session cookie, but one that no signature fits.
    return ['']
  }
}
