import { checkId, checkText } from '../checks.ts'
import { SessionError } from '../errors.ts'
import { checkCookieOptions, type CookieOptions, type CookieSite } from './cookie-options.ts'
import { claimCookieName } from './second-cookie.ts'
import { decodeName, parseCookies, sentSessionCookies } from './sent-cookies.ts'
import {
  allSessionCookieNames,
  checkSessionValue,
  cookiePrefix,
  countCookies,
  isOneOf,
  readSessionCookie,
  sessionCookieNames,
  signSessionValue,
} from './session-cookie.ts'

const SECURE_PREFIX = '__Secure-'
const FORMER_PREFIX = 'better-auth.'
// RFC 1035 2.3.4: at most 255 characters; an IPv6 address has colons and brackets.
const HOST = /^[\w.:[\]-]{1,255}$/
// RFC 6265 4.1.1: the characters of the name and the value of a cookie.
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/
const OCTETS = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/

/** Returns the name under which Better Auth sets and reads the session cookie of a site. */
export function sessionCookieName(site: CookieSite): string {
  return `${site.secure === true ? SECURE_PREFIX : ''}${cookiePrefix(site)}.session_token`
}

/** Returns a `Cookie` header with the session cookie of a token and nothing else. */
export function sessionCookieHeader(token: string, options: CookieOptions): string {
  checkId('token', token)
  checkCookieOptions(options)
  return `${sessionCookieName(options)}=${signSessionValue(token, options.secret)}`
}

/**
 * Returns the `Cookie` header for Better Auth, which parses cookies by other rules. It has the
 * session cookie that `readSessionCookie` accepts, under the current name and signed by the current
 * secret, or no session cookie. Cookies that two parsers may read differently are left out.
 */
export function chosenCookies(header: string, options: CookieOptions): string {
  checkText('header', header)
  checkCookieOptions(options)
  const check = readSessionCookie(header, options)
  const names = allSessionCookieNames(options)
  const prefix = `${cookiePrefix(options)}.`
  const isFormer = check.outcome === 'signed' && isFormerName(header, options)

  const chosen = parseCookies(header).flatMap(({ name, value }) => {
    if (isOneOf(decodeName(name), names)) {
      const isChosen = check.outcome === 'signed' && value === check.value
      return isChosen ? [sessionCookieHeader(check.token, options)] : []
    }
    if (!TOKEN.test(name) || !OCTETS.test(value)) return []
    // A session of a former release keeps its other cookies, such as `dont_remember`.
    const isRenamed = isFormer && name.startsWith(FORMER_PREFIX)
    const current = isRenamed ? prefix + name.slice(FORMER_PREFIX.length) : name
    return [`${current}=${current.includes(prefix) ? resign(value, options) : value}`]
  })
  return [...new Set(chosen)].join('; ')
}

/** Better Auth's other signed cookies, such as the one with the session of an impersonator. */
function resign(value: string, options: CookieOptions): string {
  const check = checkSessionValue(value, options)
  const isOld = check.outcome === 'signed' && check.secret !== options.secret
  return isOld ? signSessionValue(check.token, options.secret) : value
}

function isFormerName(header: string, site: CookieSite): boolean {
  const { current, former } = sessionCookieNames(site)
  return former !== undefined && countCookies(header, current) === 0
}

/**
 * Returns `Set-Cookie` lines that remove the cookies of the sessions of a request, except the cookie
 * that Better Auth sets or removes itself. A name that was sent several times has copies that belong
 * to a parent domain or to a path, so they are removed there. Cookies of former names that this site
 * has not signed belong to another site of the host.
 *
 * @param host the host of the site
 */
export function removedCookies(header: string, options: CookieOptions, host: string): string[] {
  checkText('header', header)
  checkCookieOptions(options)
  checkHost(host)
  const currentName = sessionCookieName(options)
  const sent = sentSessionCookies(header, options).filter(
    ({ name, value }) =>
      name === currentName || checkSessionValue(value, options).outcome === 'signed',
  )
  const secondName = claimCookieName(options)
  const hasSecond = countCookies(header, [secondName]) > 0
  const names = [...new Set([...sent.map(({ name }) => name), ...(hasSecond ? [secondName] : [])])]
  return names.flatMap((name) => {
    const isCopied = sent.filter((each) => each.name === name).length > 1
    const scopes = isCopied ? scopesOf(host) : ['; Path=/']
    const others = name === currentName ? scopes.filter((scope) => scope !== '; Path=/') : scopes
    const isSecure = options.secure === true || name.startsWith(SECURE_PREFIX)
    const attributes = `; Max-Age=0; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`
    return others.map((scope) => `${name}=${scope}${attributes}`)
  })
}

/** @throws SessionError `bad-argument` for a host that would end an attribute of a cookie */
function checkHost(host: string): void {
  if (typeof host === 'string' && HOST.test(host)) return
  throw new SessionError('bad-argument', 'host must be a name or an address of a host')
}

/** The paths and domains that can set a cookie which a request to `/api/auth` carries. */
function scopesOf(host: string): string[] {
  const labels = host.split('.')
  // An address, and a host without a domain, has no parent that could set a cookie.
  const isDomain = labels.length > 1 && !/^\d+$/.test(labels.at(-1) ?? '') && !host.includes(':')
  if (!isDomain) return ['; Path=/']
  const domains = labels.slice(0, -1).map((_, index) => labels.slice(index).join('.'))
  const scopes = ['', ...domains.map((domain) => `; Domain=${domain}`)]
  return ['/', '/api', '/api/auth'].flatMap((path) =>
    scopes.map((domain) => `; Path=${path}${domain}`),
  )
}
