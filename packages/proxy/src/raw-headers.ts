import { type IncomingMessage, validateHeaderName, validateHeaderValue } from 'node:http'
import { requireHeaders } from './options.ts'

/** Headers as sent: `[name, value, name, value, ...]`, with case and repeated fields preserved. */
export type RawHeaders = string[]

// RFC 9110 7.6.1, and Expect: node:http has already sent 100-continue for this hop.
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

// Connection must not remove these: they frame and route the message.
const neverHopByHop: ReadonlySet<string> = new Set(['host', 'content-length'])

/**
 * Returns the names of headers that end at this hop, in lower case: `also`, which has the standard
 * ones by default, and the names in `Connection`.
 */
export function namesToDrop(
  connection: string | undefined,
  also: ReadonlySet<string> = hopByHop,
): ReadonlySet<string> {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return also
  const named = connection.split(',').map((name) => name.trim().toLowerCase())
  return new Set([...also, ...named.filter((name) => !neverHopByHop.has(name))])
}

/**
 * Returns the hop-by-hop names together with `names`, which can have any case, and with their spellings
 * with underscores: CGI and some frameworks read `x_identity` as `x-identity`.
 */
export function hopByHopAnd(names: Iterable<string>): ReadonlySet<string> {
  return new Set([...hopByHop, ...[...names].flatMap((name) => spellingsOf(name.toLowerCase()))])
}

/** A name has at most five hyphens here, so there are at most 32 spellings. */
function spellingsOf(name: string): string[] {
  const [first = '', ...rest] = name.split('-')
  if (rest.length > 5) return [name]
  let spellings = [first]
  for (const part of rest) {
    spellings = spellings.flatMap((spelling) => [`${spelling}-${part}`, `${spelling}_${part}`])
  }
  return spellings
}

/** Returns a copy without the fields whose lower-case name is in `names`. */
export function withoutHeaders(headers: RawHeaders, names: ReadonlySet<string>): RawHeaders {
  const remaining: RawHeaders = []
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (!names.has(name.toLowerCase())) remaining.push(name, headers[i + 1] ?? '')
  }
  return remaining
}

/** Returns the first value of `name`, in any case. @throws ProxyError `bad-option` */
export function getHeader(headers: RawHeaders, name: string): string | undefined {
  requireHeaders(headers, name)
  return findHeader(headers, name)
}

/** Replaces all fields called `name` by one, in place. @throws ProxyError `bad-option` */
export function setHeader(headers: RawHeaders, name: string, value: string): void {
  requireHeaders(headers, name)
  requireHeaders([value], name)
  replaceHeader(headers, name, value)
}

/** `getHeader` for headers of this package: it does not check every item for each request. */
export function findHeader(headers: RawHeaders, name: string): string | undefined {
  const wanted = name.toLowerCase()
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() === wanted) return headers[i + 1]
  }
  return undefined
}

/** `setHeader` for headers of this package: it does not check every item for each request. */
export function replaceHeader(headers: RawHeaders, name: string, value: string): void {
  const wanted = name.toLowerCase()
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    if (headers[i]?.toLowerCase() === wanted) headers.splice(i, 2)
  }
  headers.push(name, value)
}

/** Replaces the value of the last field called `name`, or adds it as the first one. The order stays. */
export function putHeader(headers: RawHeaders, name: string, value: string): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    const each = headers[i] ?? ''
    if (each.length !== name.length || each.toLowerCase() !== name) continue
    headers[i + 1] = value
    return
  }
  headers.unshift(name, value)
}

/** Whether a request carries a body (RFC 9112 6.3). */
export function hasBody(req: IncomingMessage): boolean {
  return req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length']) > 0
}

/** Whether node:http and the client accept every name and value. */
export function areWritable(headers: RawHeaders): boolean {
  if (headers.length % 2 !== 0) return false
  try {
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] ?? ''
      validateHeaderName(name)
      validateHeaderValue(name, headers[i + 1] ?? '')
    }
    return true
  } catch {
    return false
  }
}
