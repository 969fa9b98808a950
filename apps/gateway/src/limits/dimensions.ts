import { hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Dimensions } from '@repo/ratelimit'

/**
 * The dimensions by which limits can count a request: `ip`, `user` (signed in), `client` (the
 * claimed OAuth client), `fingerprint` (weak: headers of the browser), `route`.
 */
export function dimensionsOf(
  req: IncomingMessage,
  { path, user, ip }: { path: string; user: string | undefined; ip: string },
): Dimensions {
  return {
    ip,
    user,
    client: clientOf(req.headers.authorization),
    fingerprint: fingerprintOf(req),
    route: `${req.method} ${path}`,
  }
}

/** RFC 6749 2.3.1: the client's id is the name of Basic authentication. */
function clientOf(authorization: string | undefined): string | undefined {
  const [scheme = '', credentials = ''] = (authorization ?? '').split(' ', 2)
  if (scheme.toLowerCase() !== 'basic') return undefined
  return Buffer.from(credentials, 'base64').toString().split(':', 1)[0]
}

function fingerprintOf({ headers }: IncomingMessage): string {
  const values = [headers['user-agent'], headers['accept-language'], headers['sec-ch-ua']]
  return hash('sha256', JSON.stringify(values), 'base64url')
}
