import { expect, test } from 'vitest'
import { createSecurityHeaders } from './security-headers.ts'

const https = createSecurityHeaders('https://example.com')
const http = createSecurityHeaders('http://localhost:8080')

test('an upstream that sends no security headers gets them, with the others unchanged and in order', () => {
  const headers = ['Content-Type', 'text/html', 'Set-Cookie', 'a=b', 'Set-Cookie', 'c=d']
  https.addTo(headers)
  expect(headers).toEqual([
    'Content-Type',
    'text/html',
    'Set-Cookie',
    'a=b',
    'Set-Cookie',
    'c=d',
    'X-Content-Type-Options',
    'nosniff',
    'Referrer-Policy',
    'strict-origin-when-cross-origin',
    'Strict-Transport-Security',
    'max-age=31536000',
    'Content-Security-Policy',
    "frame-ancestors 'none'",
  ])
})

test('a security header of an upstream stays as it is, in any case', () => {
  const policy = ['content-security-policy', "default-src 'self'"]
  const headers = [...policy, 'REFERRER-POLICY', 'no-referrer', 'x-content-type-options', 'nosniff']
  https.addTo(headers)
  expect(headers.slice(0, 6)).toEqual([
    ...policy,
    'REFERRER-POLICY',
    'no-referrer',
    'x-content-type-options',
    'nosniff',
  ])
  expect(headers.slice(6)).toEqual(['Strict-Transport-Security', 'max-age=31536000'])
})

test('only a site with https has Strict-Transport-Security', () => {
  expect(https.own).toContain('Strict-Transport-Security')
  expect(http.own).not.toContain('Strict-Transport-Security')
  const headers: string[] = []
  http.addTo(headers)
  expect(headers).not.toContain('Strict-Transport-Security')
  expect(headers).toContain('nosniff')
})
