import { allSessionCookieNames, type CookieSite, isOneOf } from './cookie.ts'

/** A cookie of a `Cookie` header, without the white space around its name and its value. */
interface SentCookie {
  name: string
  value: string
}

/** Whether the header has a session cookie of the site, valid or not, in any spelling of its name. */
export function carriesSessionCookie(header: string | undefined, site: CookieSite): boolean {
  return header !== undefined && sentSessionCookies(header, site).length > 0
}

/** The session cookies of a header, with their names decoded. */
function sentSessionCookies(header: string, site: CookieSite): SentCookie[] {
  const names = allSessionCookieNames(site)
  return parseCookies(header)
    .map(({ name, value }) => ({ name: decodeName(name), value }))
    .filter(({ name }) => isOneOf(name, names))
}

/** All cookies of a header in their order; a part without `=` is none. */
function parseCookies(header: string): SentCookie[] {
  return header.split(';').flatMap((part) => {
    const equals = part.indexOf('=')
    if (equals < 0) return []
    return [{ name: part.slice(0, equals).trim(), value: part.slice(equals + 1).trim() }]
  })
}

/** Some parsers decode names, and some remove quotes. */
function decodeName(name: string): string {
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
