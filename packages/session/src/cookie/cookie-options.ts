import { checkNumber, readOnce } from '../checks.ts'
import { SessionError } from '../errors.ts'

/** The address of the site, which determines the names of its cookies. */
export interface CookieSite {
  /**
   * Whether the site is served over https. Then only the `__Secure-` cookie counts. Without this
   * option either name counts.
   */
  secure?: boolean | undefined
  /**
   * The port of a site over http. Browsers send the cookies of a host to all its ports, so the name
   * contains the port: two clusters on one host do not overwrite each other's cookies.
   */
  port?: number | undefined
}

export interface CookieOptions extends CookieSite {
  /** Better Auth's secret. */
  secret: string
  /** Former secrets whose signatures are still accepted. */
  acceptedSecrets?: readonly string[] | undefined
}

const SECRET = 'a text of at least 1 character'

/** Checks the options with which a site signs and names its cookies. @throws SessionError `bad-option` */
export function checkCookieOptions(options: CookieOptions): void {
  checkSite(options)
  if (!isSecret(options.secret)) throw new SessionError('bad-option', `secret must be ${SECRET}`)
  const { acceptedSecrets } = options
  if (acceptedSecrets === undefined) return
  if (Array.isArray(acceptedSecrets) && acceptedSecrets.every(isSecret)) return
  throw new SessionError('bad-option', `each of acceptedSecrets must be ${SECRET}`)
}

/** @throws SessionError `bad-option` */
export function checkSite(site: CookieSite): void {
  const { secure, port } = readOnce('bad-option', 'options', site)
  if (secure !== undefined && typeof secure !== 'boolean') {
    throw new SessionError('bad-option', 'secure must be true or false')
  }
  if (port === undefined) return
  checkNumber('bad-option', 'port', port, { min: 1, max: 65_535, isInteger: true })
}

function isSecret(secret: unknown): secret is string {
  return typeof secret === 'string' && secret.length > 0 && secret.isWellFormed()
}
