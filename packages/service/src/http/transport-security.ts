/** One year, in seconds. */
const HSTS = 'max-age=31536000'

/**
 * Returns `Strict-Transport-Security` as a raw header, with which browsers use only https for a year
 * (RFC 6797). A site with http has no such header.
 *
 * @param origin the public origin of the site
 */
export function transportSecurity(origin: string): [] | [name: string, value: string] {
  const isHttps = new URL(origin).protocol === 'https:'
  return isHttps ? ['Strict-Transport-Security', HSTS] : []
}
