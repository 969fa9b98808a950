import { isIP, isIPv6 } from 'node:net'
import { RedisError } from '../errors.ts'

/** The parts of a Redis URL. */
export interface RedisUrl {
  /** Without brackets. Behind sentinels it is the name of the primary. */
  host: string
  port: number
  tls: boolean
  username?: string
  password?: string
  database: number
}

export interface Address {
  host: string
  port: number
}

const HOST = /^[A-Za-z0-9._-]+$/
const MAX_PORT = 65_535

/**
 * Reads `redis://user:password@host:port/database`. Characters of the password may be
 * percent-encoded; a `%` that encodes nothing is a literal `%`.
 * @throws RedisError `bad-option` with the fault, which never contains a part of the URL
 */
export function parseRedisUrl(text: unknown): RedisUrl {
  requireText(text)
  const url = text.trim()
  if (/^(\/|(redis|valkey)?\+?unix:|(redis|valkey)\+socket:|.*\.sock$)/i.test(url)) {
    throw new RedisError(
      'bad-option',
      'is a Unix socket, which is not supported; use redis://host:port',
    )
  }
  const [, scheme = '', rest = ''] = /^(rediss?|valkeys?):\/\/(.*)$/is.exec(url) ?? []
  if (scheme === '') throw new RedisError('bad-option', 'must begin with redis:// or rediss://')
  if (/\s/.test(rest))
    throw new RedisError('bad-option', 'contains white space; encode it as %20 in a password')
  const at = rest.lastIndexOf('@')
  const access = parseAccess(rest.slice(0, Math.max(0, at)))
  const [, hostAndPort = '', path = '', query = ''] =
    /^([^/?#]*)(\/[^?#]*)?([?#].*)?$/.exec(rest.slice(at + 1)) ?? []
  if (isAmbiguous(rest.slice(0, Math.max(0, at)))) {
    throw new RedisError(
      'bad-option',
      'is ambiguous; encode / ? # in the user and the password as %2F %3F %23',
    )
  }
  if (query !== '' && !/^\?family=[046]$/.test(query)) {
    throw new RedisError('bad-option', 'has parameters after ? or #, which are not supported')
  }
  return {
    ...parseAddress(hostAndPort, 6_379),
    tls: /ss$|ys$/i.test(scheme),
    ...access,
    database: parseDatabase(path),
  }
}

/**
 * Reads `host`, `host:port`, `[IPv6]:port`.
 * @throws RedisError `bad-option` with the fault
 */
export function parseAddress(text: unknown, defaultPort: number): Address {
  requireText(text)
  if (text.includes('://'))
    throw new RedisError('bad-option', 'must be host:port, without a scheme')
  if (text.includes('@'))
    throw new RedisError('bad-option', 'must be host:port, without a user and a password')
  if (text.includes(',')) {
    throw new RedisError(
      'bad-option',
      'names several hosts; use REDIS_SENTINELS or REDIS_CLUSTER_NODES',
    )
  }
  if (/^[^[].*:.*:/.test(text) || text.startsWith('::')) {
    throw new RedisError('bad-option', 'has an IPv6 address without brackets, or several ports')
  }
  const [, bracketed, name, colon, digits = ''] =
    /^(?:\[(.*)\]|([^:[\]]*))(:)?(.*)$/s.exec(text) ?? []
  const host = bracketed ?? name ?? ''
  if (host === '') throw new RedisError('bad-option', 'has no host')
  if (bracketed !== undefined && !isIPv6(bracketed)) {
    throw new RedisError('bad-option', 'has brackets around text that is no IPv6 address')
  }
  if (bracketed === undefined && !HOST.test(host))
    throw new RedisError('bad-option', 'has a malformed host')
  if (bracketed === undefined && /^[\d.]+$/.test(host) && !isIP(host)) {
    throw new RedisError('bad-option', 'has a malformed IPv4 address')
  }
  if (!colon && digits !== '') throw new RedisError('bad-option', 'has a malformed port')
  const port = digits === '' ? defaultPort : Number(digits)
  if (!/^\d*$/.test(digits) || port < 1 || port > MAX_PORT) {
    throw new RedisError('bad-option', `has a port that is not 1 to ${MAX_PORT}`)
  }
  return { host, port }
}

/** Returns the fault of a Redis URL, without a part of the URL, or undefined. */
export function findUrlFault(text: string): string | undefined {
  return faultOf(() => parseRedisUrl(text))
}

/**
 * Reads a comma-separated list of addresses and removes repeated ones.
 * @returns the addresses, and the faults of all entries by their position
 */
export function parseAddresses(list: string): { addresses: string[]; faults: string[] } {
  requireText(list)
  const entries = list.split(',').map((entry) => entry.trim())
  const faults = entries.flatMap((entry, i) => {
    const fault = entry === '' ? 'is empty' : faultOf(() => parseAddress(entry, 1))
    return fault === undefined ? [] : [`entry ${i + 1} ${fault}`]
  })
  return { addresses: [...new Set(entries)], faults }
}

function faultOf(parse: () => unknown): string | undefined {
  try {
    parse()
    return undefined
  } catch (error) {
    if (isAddressFault(error)) return error.message
    throw error
  }
}

/** Whether an error is the fault of a URL or an address. Its message is a predicate: `has no host`. */
export function isAddressFault(error: unknown): error is RedisError {
  return error instanceof RedisError && error.code === 'bad-option'
}

/** The longest text that is parsed, so that parsing is fast. */
const MAX_TEXT = 10_000

function requireText(text: unknown): asserts text is string {
  if (typeof text !== 'string') throw new RedisError('bad-option', 'is not a string')
  if (text.length > MAX_TEXT) {
    throw new RedisError('bad-option', `has more than ${MAX_TEXT} characters`)
  }
  if (!text.isWellFormed()) throw new RedisError('bad-option', 'is not well-formed Unicode')
}

function parseAccess(access: string): Pick<RedisUrl, 'username' | 'password'> {
  const colon = access.indexOf(':')
  const username = decode(colon < 0 ? access : access.slice(0, colon))
  const password = colon < 0 ? '' : decode(access.slice(colon + 1))
  return { ...(username && { username }), ...(password && { password }) }
}

/** Whether other URL parsers would end the host before the `@`: `redis://host/0?x=a@b`. */
function isAmbiguous(access: string): boolean {
  const [authority = '', ...others] = access.split(/[/?#]/)
  if (others.length === 0) return false
  // After `user:` only digits can be a port; other text is the beginning of a password.
  return /^[^:]+(:\d*)?$/.test(authority)
}

function parseDatabase(path: string): number {
  const digits = path.slice(1)
  if (!/^\d{0,5}$/.test(digits)) {
    throw new RedisError(
      'bad-option',
      'has a database that is no number, such as redis://host:6379/0',
    )
  }
  return Number(digits)
}

/** Decodes percent-encoded characters. Another `%` is unchanged. */
function decode(text: string): string {
  return text.replace(/(%[\da-f]{2})+/gi, (run) => {
    try {
      return decodeURIComponent(run)
    } catch {
      return run // no UTF-8, so it is literal text of a password
    }
  })
}
