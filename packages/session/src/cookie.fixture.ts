import { createHmac } from 'node:crypto'

/** A cookie's value as Better Auth signs it (better-call's `signCookieValue`). */
export function signedValue(token: string, secret: string): string {
  const signature = createHmac('sha256', secret).update(token).digest('base64')
  return encodeURIComponent(`${token}.${signature}`)
}
