import { expect, test } from 'vitest'
import { createCors } from './cors.ts'

const APP = 'https://app.example'
const ADMIN = 'https://admin.example'
const cors = createCors({ origins: [APP, ADMIN], trustedOrigins: [ADMIN, 'https://else.example'] })

function ask(origin: string | undefined, method = 'GET', path = '/api/me') {
  const isPreflight = method === 'OPTIONS'
  const headers = {
    ...(origin !== undefined && { origin }),
    ...(isPreflight && { 'access-control-request-method': 'PUT' }),
  }
  return cors.check({ method, headers }, path)
}

function valueOf(headers: readonly string[], name: string): string | undefined {
  const at = headers.findIndex((each, i) => i % 2 === 0 && each.toLowerCase() === name)
  return at < 0 ? undefined : headers[at + 1]
}

test('an origin of the list can read responses, and one that is also trusted can send cookies', () => {
  const app = ask(APP)
  expect(app.outcome).toBe('none')
  expect(valueOf(app.headers, 'access-control-allow-origin')).toBe(APP)
  expect(valueOf(app.headers, 'access-control-allow-credentials')).toBeUndefined()
  expect(valueOf(app.headers, 'access-control-expose-headers')).toContain('X-Request-Id')
  expect(valueOf(app.headers, 'access-control-expose-headers')).toContain('RateLimit')
  expect(valueOf(ask(ADMIN).headers, 'access-control-allow-credentials')).toBe('true')
})

test.each([
  'https://app.example.evil.example',
  'https://evil-app.example',
  'http://app.example',
  'https://app.example:8443',
  'https://APP.example',
  'https://app.example/',
  'https://app.example, https://evil.example',
  'null',
  '*',
  '',
  'https://else.example',
  '__proto__',
])('the origin %j is not in the list, so it gets no header and no preflight', (origin) => {
  expect(ask(origin)).toEqual({ outcome: 'none', headers: [] })
  expect(ask(origin, 'OPTIONS')).toEqual({ outcome: 'refused', headers: ['Vary', 'Origin'] })
})

test('a preflight request of the list is answered, with fixed methods and headers', () => {
  const { outcome, headers } = ask(APP, 'OPTIONS')
  expect(outcome).toBe('preflight')
  expect(valueOf(headers, 'access-control-allow-methods')).toBe(
    'GET, HEAD, POST, PUT, PATCH, DELETE',
  )
  expect(valueOf(headers, 'access-control-allow-headers')).toContain('Idempotency-Key')
  expect(valueOf(headers, 'access-control-max-age')).toBe('600')
  expect(valueOf(headers, 'vary')).toBe('Origin')
})

test('an OPTIONS request that is no preflight request continues, and every response varies by origin', () => {
  const plain = { method: 'OPTIONS', headers: { origin: APP } }
  expect(cors.check(plain, '/api/me').outcome).toBe('none')
  expect(ask(undefined)).toEqual({ outcome: 'none', headers: [] })
  expect(cors.vary).toEqual(['Vary', 'Origin'])
})

test('the authorization server decides about pages of OAuth clients itself', () => {
  const client = 'https://client.example'
  expect(ask(client, 'OPTIONS', '/api/auth/oauth2/token').outcome).toBe('none')
  expect(ask(client, 'OPTIONS', '/.well-known/openid-configuration').outcome).toBe('none')
  expect(ask(client, 'OPTIONS', '/api/auth/oauth2x').outcome).toBe('refused')
})

test('without a list no response has a header, and every preflight request is refused', () => {
  const closed = createCors({ trustedOrigins: [ADMIN] })
  const headers = { origin: ADMIN, 'access-control-request-method': 'PUT' }
  expect(closed.check({ method: 'OPTIONS', headers }, '/api/me')).toEqual({
    outcome: 'refused',
    headers: [],
  })
  expect(closed.check({ method: 'GET', headers: { origin: ADMIN } }, '/api/me').headers).toEqual([])
  expect(closed.vary).toEqual([])
})
