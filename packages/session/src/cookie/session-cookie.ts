import { createHmac, timingSafeEqual } from 'node:crypto'
import { SessionError } from '../errors.ts'
import { checkSite, type CookieOptions, type CookieSite } from './cookie-options.ts'

const PLAIN = 'better-auth.session_token'
/** The name over https. Browsers accept a cookie with this prefix from no http page. */
const SECURE = `__Secure-${PLAIN}`
/** Token (32), dot and base64 of 32 bytes, percent-encoded. This site signs no longer value. */
const MAX_LENGTH = 256

export type CookieCheck =
  /** `value` is the text that was sent, and `secret` the secret that signed it. */
  { outcome: 'signed'; token: string; value: string; secret: string } | { outcome: 'none' }

/**
 * Returns the cookie settings of an origin. Only an origin over http with a port other than 80 has
 * the port in its cookie names.
 *
 * @throws SessionError `bad-argument`
 */
export function cookieSiteOf(origin: string): CookieSite {
  const url = typeof origin === 'string' ? URL.parse(origin) : null
  if (url === null) throw new SessionError('bad-argument', 'origin must be an absolute URL')
  const { protocol, port } = url
  const secure = protocol === 'https:'
  return { secure, ...(!secure && port !== '' && { port: Number(port) }) }
}

/** Returns Better Auth's `cookiePrefix` for a site. @throws SessionError `bad-option` */
export function cookiePrefix(site: CookieSite): string {
  checkSite(site)
  const { port } = site
  return port === undefined ? 'better-auth' : `better-auth-${port}`
}

const ANY_PORT = /^better-auth-\d{1,5}\.session_token$/

/**
 * Returns the names that a session cookie may have. The `former` name, which earlier releases set,
 * counts only in a header that has none of the `current` names. Without any setting of the site
 * every name of any site counts.
 */
export function sessionCookieNames({ secure, port }: CookieSite): {
  current: readonly (string | RegExp)[]
  former?: string
} {
  if (port !== undefined) return { current: [`better-auth-${port}.session_token`], former: PLAIN }
  if (secure === undefined) return { current: [PLAIN, SECURE, ANY_PORT] }
  return { current: [secure ? SECURE : PLAIN] }
}

/**
 * The session token of a request if this site signed it: `token.base64(HMAC-SHA256(token))`. A
 * tampered, truncated, oversized, doubled or differently encoded cookie is `none`, before any store is
 * used (S8).
 */
export function readSessionCookie(header: string | undefined, options: CookieOptions): CookieCheck {
  const value = findSessionCookie(header ?? '', options)
  return value === undefined ? { outcome: 'none' } : checkSessionValue(value, options)
}

/** Does the same for the value of a cookie. */
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
    // The comparison is of text: a signature has one spelling, and base64 decoding accepts many.
    const expected = Buffer.from(signatureOf(token, each))
    if (given.length === expected.length && timingSafeEqual(given, expected)) {
      return { outcome: 'signed', token, value, secret: each }
    }
  }
  return { outcome: 'none' }
}

/** The value of a cookie as Better Auth signs it (`signCookieValue` of better-call). */
export function signSessionValue(token: string, secret: string): string {
  return encodeURIComponent(`${token}.${signatureOf(token, secret)}`)
}

function signatureOf(token: string, secret: string): string {
  return createHmac('sha256', secret).update(token).digest('base64')
}

/** Returns every name that a session cookie of a site may have or may have had. */
export function allSessionCookieNames(site: CookieSite): readonly (string | RegExp)[] {
  return [...new Set([...sessionCookieNames(site).current, PLAIN, SECURE])]
}

/** The value of the session cookie in a `Cookie` header, as it was sent. */
export function findSessionCookie(header: string, site: CookieSite): string | undefined {
  const { current, former } = sessionCookieNames(site)
  const found = findCookies(header, current)
  return found.count === 0 && former !== undefined ? onlyCookie(header, [former]) : onlyValue(found)
}

/**
 * The value of the only cookie with one of the names. Two session cookies are a fixation attempt or a
 * broken client, so neither is trusted.
 */
export function onlyCookie(
  header: string,
  names: readonly (string | RegExp)[],
): string | undefined {
  return onlyValue(findCookies(header, names))
}

/** The number of cookies with one of the names. */
export function countCookies(header: string, names: readonly (string | RegExp)[]): number {
  return findCookies(header, names).count
}

function onlyValue({ count, value }: { count: number; value: string }): string | undefined {
  return count === 1 ? value : undefined
}

/** The number of cookies with one of the names, and the value of the last. */
function findCookies(header: string, names: readonly (string | RegExp)[]) {
  const found = { count: 0, value: '' }
  let equals = -1
  for (let start = 0; start < header.length;) {
    const semicolon = header.indexOf(';', start)
    const end = semicolon < 0 ? header.length : semicolon
    // The search continues behind the last `=`: a header of semicolons alone costs no more.
    if (equals < start) equals = header.indexOf('=', start)
    if (equals < 0) return found
    if (equals < end && isOneOf(header.slice(start, equals).trim(), names)) {
      found.count += 1
      found.value = header.slice(equals + 1, end).trim()
    }
    start = end + 1
  }
  return found
}

/** Whether a name is one of the names. */
export function isOneOf(name: string, names: readonly (string | RegExp)[]): boolean {
  for (const each of names) {
    if (typeof each === 'string' ? each === name : each.test(name)) return true
  }
  return false
}

/** Returns an empty text, which has no signature, for a value that is too long or malformed. */
function decode(value: string): string {
  if (value.length > MAX_LENGTH) return ''
  try {
    const text = decodeURIComponent(value)
    // Two texts with a lone surrogate would have one signature and one key.
    return text.isWellFormed() ? text : ''
  } catch {
    return ''
  }
}
