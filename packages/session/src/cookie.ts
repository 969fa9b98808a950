import { createHmac, timingSafeEqual } from 'node:crypto'

const PLAIN = 'better-auth.session_token'
/** Over https; browsers take a cookie of this prefix from no http page. */
const SECURE = `__Secure-${PLAIN}`
/** Token (32) + dot + base64 of 32 bytes, percent-encoded; anything longer is none of ours. */
const MAX_LENGTH = 256

export type CookieCheck = { outcome: 'signed'; token: string } | { outcome: 'none' }

export interface CookieOptions {
  /** Better Auth's secret. */
  secret: string
  /**
   * Whether the site is served over https: then only the `__Secure-` cookie counts. Without it
   * either name does.
   */
  secure?: boolean | undefined
}

/**
 * The session token of a request, if its signature is ours: `token.base64(HMAC-SHA256(token))`. A
 * tampered, truncated, oversized, doubled or otherwise encoded cookie is `none`, before any store
 * is asked.
 */
export function readSessionCookie(
  header: string | undefined,
  { secret, secure }: CookieOptions,
): CookieCheck {
  const names = secure === undefined ? [PLAIN, SECURE] : [secure ? SECURE : PLAIN]
  // Two session cookies are a fixation attempt or a broken client: neither can be trusted.
  const [value, second] = sessionValues(header ?? '', names)
  if (value === undefined || second !== undefined) return { outcome: 'none' }
  const dot = value.lastIndexOf('.')
  const token = value.slice(0, Math.max(dot, 0))
  const given = Buffer.from(value.slice(dot + 1))
  // Compared as text: a signature has one spelling, while decoding base64 accepts many.
  const expected = Buffer.from(createHmac('sha256', secret).update(token).digest('base64'))
  const ours = token !== '' && given.length === expected.length && timingSafeEqual(given, expected)
  return ours ? { outcome: 'signed', token } : { outcome: 'none' }
}

function sessionValues(header: string, names: string[]): string[] {
  return header.split(';').flatMap((pair) => {
    const equals = pair.indexOf('=')
    return names.includes(pair.slice(0, equals).trim()) ? decode(pair.slice(equals + 1).trim()) : []
  })
}

/** What is too long or broken counts as a session cookie, but as one that no signature fits. */
function decode(value: string): string {
  if (value.length > MAX_LENGTH) return ''
  try {
    return decodeURIComponent(value)
  } catch {
    return ''
  }
}
