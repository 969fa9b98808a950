const base = 'http://same-site.invalid'

/** A path of this site, or the fallback: the target of `?next=` after a sign-in. */
export function sameSitePath(next: unknown, fallback: string) {
  if (typeof next !== 'string' || !next.startsWith('/')) return fallback
  // The URL parser, not a pattern, decides: browsers read `//host` and `/\host` as another site.
  if (!URL.canParse(next, base)) return fallback
  const url = new URL(next, base)
  return url.origin === base ? url.pathname + url.search + url.hash : fallback
}
