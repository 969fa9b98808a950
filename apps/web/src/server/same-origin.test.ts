import { expect, test } from 'vitest'
import { createFormCheck } from './same-origin.ts'

const ORIGIN = 'https://app.example'
const cookie = 'better-auth.session_token=x'

function isAccepted(headers: Record<string, string>, method = 'POST') {
  return createFormCheck(ORIGIN)({ method, headers: { host: 'web-1:3003', cookie, ...headers } })
}

test('a form of the configured origin is accepted with any Host header of a proxy', () => {
  expect(isAccepted({ origin: ORIGIN })).toBe(true)
  expect(isAccepted({ origin: ORIGIN, 'sec-fetch-site': 'same-origin' })).toBe(true)
})

test('a form of a page that the instance served is accepted', () => {
  expect(isAccepted({ origin: 'http://web-1:3003' })).toBe(true)
})

test.for([
  ['another site', { origin: 'https://evil.example' }],
  ['a sibling subdomain', { origin: 'https://other.app.example', 'sec-fetch-site': 'same-site' }],
  ['another port of the host', { origin: 'https://app.example:8443' }],
  ['the same host over http', { origin: 'http://app.example' }],
  ['an opaque origin', { origin: 'null' }],
  ['an origin that is no URL', { origin: 'app.example' }],
  ['a page that the browser calls cross-site', { 'sec-fetch-site': 'cross-site' }],
  ['a client that sends a cookie and names no page', {}],
] as const)('a form of %s is refused', ([, headers]) => {
  expect(isAccepted(headers)).toBe(false)
})

test('a request without a cookie is accepted although it names no page', () => {
  expect(createFormCheck(ORIGIN)({ method: 'POST', headers: {} })).toBe(true)
})

test('a request with a safe method is accepted from any site', () => {
  expect(isAccepted({ 'sec-fetch-site': 'cross-site' }, 'GET')).toBe(true)
})
