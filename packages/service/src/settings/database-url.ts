import { accessSync, constants } from 'node:fs'
import { z } from 'zod'

type Read = { url: string } | { fault: string }

const ENCODE = 'percent-encode special characters in the user name and the password'
const SSL_MODES = new Set(['disable', 'require', 'verify-ca', 'verify-full', 'no-verify'])
const SSL_VALUES = new Set(['true', '1', '0', 'no-verify'])
const SSL_FILES = ['sslrootcert', 'sslcert', 'sslkey']

/**
 * The schema of the URL of one PostgreSQL database, over TCP or a Unix socket (`?host=/directory`).
 * A `%` that begins no percent-encoding is a literal `%`. A URL that `pg` cannot use is refused.
 */
export function databaseUrl() {
  return z.string().transform((text, context) => {
    const read = readDatabaseUrl(text)
    if ('url' in read) return read.url
    context.addIssue({ code: 'custom', message: read.fault })
    return z.NEVER
  })
}

/** Returns the host and port of a database URL, without its credentials, for messages. */
export function databaseHost(url: string): string {
  const parsed = parse(url)
  const host = parsed?.searchParams.get('host') ?? decode(parsed?.hostname ?? '')
  const port = parsed?.searchParams.get('port') ?? parsed?.port
  return `${host || 'an unknown host'}${port ? `:${port}` : ''}`
}

function readDatabaseUrl(text: string): Read {
  const [, scheme, , credentials, rest = ''] =
    /^(postgres(?:ql)?:\/\/)(([^/?#]*)@)?(.*)$/s.exec(text.trim()) ?? []
  if (!scheme) return { fault: 'must begin with postgres:// or postgresql://' }
  const at = credentials === undefined ? '' : `${encodeCredentials(credentials)}@`
  const url = `${scheme}${at}${encodeText(rest)}`
  const parsed = parse(url)
  const fault = parsed ? faultOf(parsed) : `is not a URL with a port of at most 65535; ${ENCODE}`
  return fault === undefined ? { url } : { fault }
}

/** `pg` also accepts credentials without a host, which is no valid URL, beside a `host` parameter. */
function parse(url: string): URL | undefined {
  const named = /[?&]host=/.test(url) ? url.replace('@/', '@localhost/') : url
  return URL.parse(url) ?? URL.parse(named) ?? undefined
}

function faultOf({ hostname, port, pathname, hash, searchParams }: URL): string | undefined {
  if (hash) return `contains a #; ${ENCODE}`
  const host = searchParams.get('host') ?? decode(hostname)
  if (!host) return 'names no host; name one, or a Unix socket by ?host=/directory'
  if (host.includes(',')) return 'names several hosts; name one, or a proxy that finds the primary'
  const givenPort = searchParams.get('port') ?? port
  if (givenPort && !isPort(givenPort)) return 'names a port that is not 1 to 65535'
  const database = decode(pathname.slice(1))
  if (!database) return 'names no database; add /NAME after the host'
  if (/[/%]/.test(database)) return 'names a database with a / or % in its name'
  return sslFault(searchParams)
}

function sslFault(parameters: URLSearchParams): string | undefined {
  const mode = parameters.get('sslmode')
  if (mode !== null && !SSL_MODES.has(mode)) {
    return `has an sslmode that is not one of ${[...SSL_MODES].join(', ')}`
  }
  const ssl = parameters.get('ssl')
  if (ssl !== null && !SSL_VALUES.has(ssl)) return 'has an ssl that is not 0, 1, true or no-verify'
  for (const name of SSL_FILES) {
    const file = parameters.get(name)
    if (file !== null && !isReadable(file)) return `has an ${name} that is not a readable file`
  }
  const isCompatible = parameters.get('uselibpqcompat') === 'true'
  if (isCompatible && mode === 'verify-ca' && !parameters.has('sslrootcert')) {
    return 'has sslmode=verify-ca without sslrootcert'
  }
  return undefined
}

/** Encodes a part that cannot be decoded, and leaves other parts unchanged. */
function encodeCredentials(credentials: string): string {
  const [user = '', ...password] = credentials.split(':')
  const parts = password.length === 0 ? [user] : [user, password.join(':')]
  return parts.map(encodeText).join(':')
}

function encodeText(text: string): string {
  const encoded = text.replaceAll(/%(?![0-9a-f]{2})/gi, '%25').replaceAll(' ', '%20')
  return decode(encoded) === undefined
    ? text.replaceAll('%', '%25').replaceAll(' ', '%20')
    : encoded
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) <= 65_535
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return true
  } catch {
    return false
  }
}
