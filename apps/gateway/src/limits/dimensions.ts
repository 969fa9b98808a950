import { hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Dimensions } from '@repo/ratelimit'

/** The facts about a request that dimensions are made of. */
export interface Subject {
  req: Pick<IncomingMessage, 'headers'>
  method: string
  path: string
  ip: string
  userId: string | undefined
  key: { id: string } | undefined
  country: string | undefined
}

/**
 * The dimensions by which limits can count a request: `ip`, `user` (signed in, or of the API key), `key`
 * (the API key), `client` (the
 * claimed OAuth client), `fingerprint` (weak: headers of the browser), `route`, `country`. Only those
 * that are used are computed.
 */
export function dimensionsOf(
  { req, method, path, ip, userId, key, country }: Subject,
  used: ReadonlySet<string>,
): Dimensions {
  return {
    ip,
    user: userId,
    key: key?.id,
    country,
    client: used.has('client') ? clientOf(req.headers.authorization) : undefined,
    fingerprint: used.has('fingerprint') ? fingerprintOf(req) : undefined,
    route: used.has('route') ? `${method} ${path}` : undefined,
  }
}

/** RFC 6749 2.3.1: the client's id is the name of Basic authentication. */
function clientOf(authorization: string | undefined): string | undefined {
  const [scheme = '', credentials = ''] = (authorization ?? '').split(' ', 2)
  if (scheme.toLowerCase() !== 'basic') return undefined
  return Buffer.from(credentials, 'base64').toString().split(':', 1)[0]
}

function fingerprintOf({ headers }: Subject['req']): string {
  const values = [headers['user-agent'], headers['accept-language'], headers['sec-ch-ua']]
  return hash('sha256', JSON.stringify(values), 'base64url')
}
