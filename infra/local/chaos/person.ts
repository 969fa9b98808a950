import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import type { Cluster } from './cluster.ts'

const ORIGIN = 'http://localhost:9380'

/** Creates a user, and returns the cookie of the session. @throws Error when the user is refused */
export async function signUp({ edge }: Cluster): Promise<string> {
  const name = randomUUID()
  const body = JSON.stringify({ name, email: `${name}@example.test`, password: `pass-${name}` })
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', origin: ORIGIN }
    const url = new URL('/api/auth/sign-up/email', edge)
    const req = request(url, { method: 'POST', headers }, (res) => {
      res.resume()
      const cookies = res.headers['set-cookie'] ?? []
      if (res.statusCode !== 200) reject(new Error(`a sign-up was refused: ${res.statusCode}`))
      else resolve(cookies.map((each) => each.split(';', 1)[0]).join('; '))
    })
    req.on('error', reject)
    req.end(body)
  })
}

/** A payment with a reference that no other has, and with a key if there is one. */
export function payment(cookie: string, reference: string, key?: string) {
  const body = JSON.stringify({ amount: 100, currency: 'EUR', reference })
  const headers = {
    cookie,
    origin: ORIGIN,
    'content-type': 'application/json',
    ...(key !== undefined && { 'idempotency-key': key }),
  }
  return { method: 'POST', path: '/api/payments', headers, body }
}
