import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { findHeader, type RawHeaders, replaceHeader } from './raw-headers.ts'

/**
 * The handling of received X-Forwarded headers.
 * - `set`, for the edge: they are dropped, and written from the socket.
 * - `append`, behind a trusted proxy: the address of the sender is added to X-Forwarded-For, and
 *   X-Forwarded-Host and X-Forwarded-Proto are preserved.
 */
export type Forwarded = 'set' | 'append'

/** Headers with which a client could forge its origin. `set` drops them. */
export const forwardedNames = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-forwarded-server',
  'x-forwarded-ssl',
  'x-real-ip',
]

/** Adds X-Forwarded-For, X-Forwarded-Host and X-Forwarded-Proto to `headers`. */
export function addForwarded(headers: RawHeaders, req: IncomingMessage, mode: Forwarded): void {
  const sender = req.socket.remoteAddress ?? 'unknown'
  const host = req.headers.host ?? ''
  const proto = req.socket instanceof TLSSocket ? 'https' : 'http'
  if (mode === 'set') {
    headers.push('X-Forwarded-For', sender, 'X-Forwarded-Host', host, 'X-Forwarded-Proto', proto)
    return
  }
  // node:http joins repeated fields, so no earlier hop is lost.
  const before = req.headers['x-forwarded-for']
  replaceHeader(headers, 'X-Forwarded-For', before ? `${before.toString()}, ${sender}` : sender)
  if (!findHeader(headers, 'x-forwarded-host')) headers.push('X-Forwarded-Host', host)
  if (!findHeader(headers, 'x-forwarded-proto')) headers.push('X-Forwarded-Proto', proto)
}
