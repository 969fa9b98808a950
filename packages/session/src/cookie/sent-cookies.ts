import { checkText } from '../checks.ts'
import { SessionError } from '../errors.ts'
import {
  checkCookieOptions,
  checkSite,
  type CookieOptions,
  type CookieSite,
} from './cookie-options.ts'
import { allSessionCookieNames, checkSessionValue, isOneOf } from './session-cookie.ts'

/** The maximum of sessions in one request. A parent domain, a path and former names give fewer. */
const MAX_TOKENS = 20

/** A cookie of a `Cookie` header, without the white space around its name and its value. */
export interface SentCookie {
  name: string
  value: string
}

/** Whether the header has a session cookie of the site, valid or not, in any spelling of its name. */
export function carriesSessionCookie(header: string | undefined, site: CookieSite): boolean {
  if (header !== undefined) checkText('header', header)
  checkSite(site)
  return header !== undefined && sentSessionCookies(header, site).length > 0
}

/**
 * Returns the token of each session cookie with a valid signature, once. It accepts more than
 * `readSessionCookie`: several cookies, former names, percent-encoded names and quoted values.
 *
 * @throws SessionError `too-many-cookies` for more than 20 signed tokens, since each costs queries when
 * its session ends. `bad-argument`, `bad-option`
 */
export function sentTokens(header: string, options: CookieOptions): string[] {
  checkText('header', header)
  checkCookieOptions(options)
  const tokens = new Set<string>()
  for (const { value } of sentSessionCookies(header, options)) {
    const check = checkSessionValue(value, options)
    if (check.outcome === 'signed') tokens.add(check.token)
    if (tokens.size <= MAX_TOKENS) continue
    const message = `a request has more than ${MAX_TOKENS} session cookies of this site`
    throw new SessionError('too-many-cookies', message)
  }
  return [...tokens]
}

/** The session cookies of a header in their order, with decoded names and without quotes. */
export function sentSessionCookies(header: string, site: CookieSite): SentCookie[] {
  const names = allSessionCookieNames(site)
  return parseCookies(header)
    .map(({ name, value }) => ({ name: decodeName(name), value: withoutQuotes(value) }))
    .filter(({ name }) => isOneOf(name, names))
}

/** All cookies of a header in their order. A part without `=` is not a cookie. */
export function parseCookies(header: string): SentCookie[] {
  return header.split(';').flatMap((part) => {
    const equals = part.indexOf('=')
    if (equals < 0) return []
    return [{ name: part.slice(0, equals).trim(), value: part.slice(equals + 1).trim() }]
  })
}

/** The name as a parser may read it that removes quotes and decodes percent-encoding. */
export function decodeName(name: string): string {
  const plain = withoutQuotes(name)
  if (!plain.includes('%')) return plain
  try {
    return decodeURIComponent(plain).trim()
  } catch {
    return plain
  }
}

function withoutQuotes(text: string): string {
  return text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text
}
