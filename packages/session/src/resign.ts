import {
  cookiePrefix,
  type CookieOptions,
  countCookies,
  readSessionCookie,
  sessionCookieNames,
  signSessionValue,
} from './cookie.ts'

const FORMER_PREFIX = /(^|;)(\s*)better-auth\./g

/**
 * Returns the `Cookie` header as Better Auth reads it: with the current names, and the session cookie
 * signed by the current secret. Better Auth knows one name and one secret, and would sign users out
 * when either changes. A header without a session cookie of this site comes back as it is.
 */
export function resignSessionCookie(header: string, options: CookieOptions): string {
  const check = readSessionCookie(header, options)
  if (check.outcome === 'none') return header
  const { current, former } = sessionCookieNames(options)
  const isFormer = former !== undefined && countCookies(header, current) === 0
  const named = isFormer ? header.replace(FORMER_PREFIX, `$1$2${cookiePrefix(options)}.`) : header
  if (check.secret === options.secret) return named
  return named.replace(check.value, () => signSessionValue(check.token, options.secret))
}
