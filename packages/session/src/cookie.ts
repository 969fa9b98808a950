import { createHmac, timingSafeEqual } from 'node:crypto'

const PLAIN = 'better-auth.session_token'
/** Over https; browsers take a cookie of this prefix from no http page. */
const SECURE = `__Secure-${PLAIN}`
/** Token (32) + dot + base64 of 32 bytes, percent-encoded; anything longer is none of ours. */
const MAX_LENGTH = 256

export type CookieCheck =
  /** `value` is as it was sent; `secret` is the one that signed it. */
  { outcome: 'signed'; token: string; value: string; secret: string } | { outcome: 'none' }

export interface CookieOptions {
  /** Better Auth's secret. */
  secret: string
  /** Secrets that signed before and are still accepted. */
  acceptedSecrets?: readonly string[] | undefined
  /**
   * Whether the site is served over https: then only the `__Secure-` cookie counts. Without it
   * either name does.
   */
  secure?: boolean | undefined
}

/** The names that a session cookie may have. */
export function sessionCookieNames(secure: boolean | undefined): readonly string[] {
  if (secure === undefined) return [PLAIN, SECURE]
  return [secure ? SECURE : PLAIN]
}

/**
 * The session token of a request, if its signature is ours: `token.base64(HMAC-SHA256(token))`. A
 * tampered, truncated, oversized, doubled or otherwise encoded cookie is `none`, before any store
 * is asked.
 */
export function readSessionCookie(header: string | undefined, options: CookieOptions): CookieCheck {
  const value = onlyCookie(header ?? '', sessionCookieNames(options.secure))
  return value === undefined ? { outcome: 'none' } : checkSessionValue(value, options)
}

/** The same, for a cookie's value. */
export function checkSessionValue(
  value: string,
  { secret, acceptedSecrets = [] }: CookieOptions,
): CookieCheck {
  const text = decode(value)
  const dot = text.lastIndexOf('.')
  if (dot <= 0) return { outcome: 'none' }
  const token = text.slice(0, dot)
  const given = Buffer.from(text.slice(dot + 1))
  for (const each of [secret, ...acceptedSecrets]) {
    // Compared as text: a signature has one spelling, while decoding base64 accepts many.
    const expected = Buffer.from(signatureOf(token, each))
    if (given.length === expected.length && timingSafeEqual(given, expected)) {
      return { outcome: 'signed', token, value, secret: each }
    }
  }
  return { outcome: 'none' }
}

/** A cookie's value as Better Auth signs it (better-call's `signCookieValue`). */
export function signSessionValue(token: string, secret: string): string {
  return encodeURIComponent(`${token}.${signatureOf(token, secret)}`)
}

function signatureOf(token: string, secret: string): string {
  return createHmac('sha256', secret).update(token).digest('base64')
}

/**
 * The value of the only cookie with one of the names. Two session cookies are a fixation attempt or
 * a broken client: neither can be trusted.
 */
export function onlyCookie(header: string, names: readonly string[]): string | undefined {
  let found: string | undefined
  for (let start = 0; start < header.length;) {
    const semicolon = header.indexOf(';', start)
    const end = semicolon < 0 ? header.length : semicolon
    const equals = header.indexOf('=', start)
    if (equals >= 0 && equals < end && names.includes(header.slice(start, equals).trim())) {
      if (found !== undefined) return undefined
      found = header.slice(equals + 1, end).trim()
    }
    start = end + 1
  }
  return found
}

/** What is too long or broken is no text that a signature fits. */
function decode(value: string): string {
  if (value.length > MAX_LENGTH) return ''
  try {
    return decodeURIComponent(value)
  } catch {
    return ''
  }
}
