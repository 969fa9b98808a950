import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { getHeader, type RawHeaders, setHeader } from './raw-headers.ts'

/**
 * How far the headers that came in are believed. `set` (the edge): they are dropped and written
 * anew from the socket. `append` (behind a proxy of ours): the sender's address joins
 * X-Forwarded-For; X-Forwarded-Host and -Proto stay.
 */
export type Forwarded = 'set' | 'append'

/** What a client could use to lie about where it comes from; `set` lets none of it pass. */
export const forwardedNames = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-forwarded-server',
  'x-real-ip',
]

/** Writes X-Forwarded-For, -Host and -Proto into `headers`. */
export function addForwarded(headers: RawHeaders, req: IncomingMessage, mode: Forwarded): void {
  const sender = req.socket.remoteAddress ?? 'unknown'
  const host = req.headers.host ?? ''
  const proto = req.socket instanceof TLSSocket ? 'https' : 'http'
  if (mode === 'set') {
    headers.push('X-Forwarded-For', sender, 'X-Forwarded-Host', host, 'X-Forwarded-Proto', proto)
    return
  }
  // node:http joins repeated fields, so that no earlier hop is lost.
  const before = req.headers['x-forwarded-for']
  setHeader(headers, 'X-Forwarded-For', before ? `${before.toString()}, ${sender}` : sender)
  if (!getHeader(headers, 'x-forwarded-host')) headers.push('X-Forwarded-Host', host)
  if (!getHeader(headers, 'x-forwarded-proto')) headers.push('X-Forwarded-Proto', proto)
}
