import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { CookieOptions, CookieSite } from '@repo/session'
import { parse } from 'hono/utils/cookie'

/** The maximum number of accounts of one browser; the oldest is dropped. */
const MAX_ACCOUNTS = 4
const MAX_AGE_S = 31_536_000

/** An entry of this release or of another one. Other text is not sent back to the browser. */
const ENTRY = /^[\w.-]{1,128}$/

/** The account for which a device is trusted, and the password with which it signed in. */
export interface DeviceOwner {
  /** The e-mail address. */
  account: string
  /** The stored hash. With another password the cookie is invalid. */
  passwordHash: string
}

/**
 * Cookies of devices that signed in to an account before
 * (https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies).
 *
 * The value has one entry for each account, the latest first, joined by `~`. An entry is
 * `tag.id.mac`: `tag` finds the account's entry, `id` names the device, and `mac` is an HMAC-SHA256
 * over the account, the id and the stored password hash. An entry of another release is not
 * trusted, and stays in the cookie.
 */
export function createDeviceCookies(options: CookieOptions) {
  const { secret, acceptedSecrets = [] } = options
  const keys = [secret, ...acceptedSecrets].map(toKey)
  const name = deviceCookieName(options)
  const attributes = `; Max-Age=${MAX_AGE_S}; Path=/; HttpOnly; SameSite=Lax${options.secure ? '; Secure' : ''}`

  function entriesOf(header: string | undefined): string[] {
    const value = header === undefined ? undefined : parse(header, name)[name]
    if (value === undefined) return []
    return value.split('~', MAX_ACCOUNTS).filter((entry) => ENTRY.test(entry))
  }

  /** The id of the device, if it signed in to the account with this password. */
  function find(header: string | undefined, owner: DeviceOwner): string | undefined {
    for (const entry of entriesOf(header)) {
      const [, id = '', mac = ''] = entry.split('.')
      if (keys.some((key) => isSame(mac, macOf(key, id, owner)))) return id
    }
    return undefined
  }

  return {
    find,
    /** A `Set-Cookie` line that trusts the device for the account, beside those that it was for. */
    issue(header: string | undefined, owner: DeviceOwner): string {
      const [key = ''] = keys
      const id = find(header, owner) ?? randomBytes(12).toString('base64url')
      const tags = new Set(keys.map((accepted) => tagOf(accepted, owner.account)))
      const others = entriesOf(header).filter((other) => !tags.has(other.split('.', 1)[0] ?? ''))
      const entry = `${tagOf(key, owner.account)}.${id}.${macOf(key, id, owner)}`
      return `${name}=${[entry, ...others].slice(0, MAX_ACCOUNTS).join('~')}${attributes}`
    },
  }
}

export type DeviceCookies = ReturnType<typeof createDeviceCookies>

function deviceCookieName({ secure, port }: CookieSite): string {
  if (secure) return '__Host-device'
  return port === undefined ? 'threefold.device' : `threefold-${port}.device`
}

/** A separate key, so that no other cookie proves a device. */
function toKey(secret: string): string {
  return createHmac('sha256', secret).update('threefold device cookie').digest('base64url')
}

function tagOf(key: string, account: string): string {
  return createHmac('sha256', key).update(`tag\n${account}`).digest('base64url').slice(0, 8)
}

function macOf(key: string, id: string, { account, passwordHash }: DeviceOwner): string {
  const text = JSON.stringify([account, id, passwordHash])
  return createHmac('sha256', key).update(text).digest('base64url')
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}
