import { type CookieOptions, readSessionCookie, signSessionValue } from './cookie.ts'

/**
 * The `Cookie` header with its session cookie signed by the current secret, where an accepted one
 * signed it: Better Auth knows the current secret only, and would sign everybody out when it
 * changes. Every other header comes back as it is.
 */
export function resignSessionCookie(header: string, options: CookieOptions): string {
  const check = readSessionCookie(header, options)
  if (check.outcome === 'none' || check.secret === options.secret) return header
  return header.replace(check.value, () => signSessionValue(check.token, options.secret))
}
