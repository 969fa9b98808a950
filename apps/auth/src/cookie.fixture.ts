import { createHmac } from 'node:crypto'

/** The session cookie of a `Cookie` header alone, signed with another secret. */
export function signedBy(secret: string, header: string): string {
  const cookie = header.split('; ').find((each) => each.includes('session_token=')) ?? ''
  const equals = cookie.indexOf('=')
  const value = decodeURIComponent(cookie.slice(equals + 1))
  const token = value.slice(0, value.lastIndexOf('.'))
  const signature = createHmac('sha256', secret).update(token).digest('base64')
  return `${cookie.slice(0, equals)}=${encodeURIComponent(`${token}.${signature}`)}`
}
