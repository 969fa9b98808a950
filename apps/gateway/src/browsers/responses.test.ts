import { expect, test } from '@repo/testing'
import {
  ask,
  ORIGIN,
  PAGE_ORIGIN,
  send,
  serveGateway,
  signedIn,
  TRUSTED_ORIGIN,
} from '../gateway.fixture.ts'
import { parseLimits } from '../limits/limits.ts'
import { serveUpstream } from '../servers.fixture.ts'

const EVIL = 'https://evil.example'
const parsed = parseLimits({
  policies: [{ name: 'ip', quota: 2, windowMs: 60_000, by: 'ip' }],
  routes: [{ path: '/api', policies: ['ip'] }],
})
if (parsed.outcome === 'invalid') throw new Error(parsed.faults.join('\n'))
const { limits } = parsed

test('a preflight request is answered before limits and session, and reaches no upstream', async ({
  databaseUrl,
}) => {
  await signedIn(databaseUrl)
  await using upstream = await serveUpstream('payments-1')
  await using gateway = await serveGateway({
    databaseUrl,
    auth: [upstream.origin],
    payments: [upstream.origin],
    limits,
  })
  const preflight = (origin: string, path = '/api/payments') =>
    send(gateway.origin, path, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    })
  for (let i = 0; i < 5; i += 1) {
    const { status, headers } = await preflight(PAGE_ORIGIN)
    expect(status).toBe(204)
    expect(headers).toMatchObject({
      'access-control-allow-origin': PAGE_ORIGIN,
      'access-control-max-age': '600',
      vary: 'Origin',
    })
    expect(headers).not.toHaveProperty('access-control-allow-credentials')
  }
  const trusted = await preflight(TRUSTED_ORIGIN, '/api/auth/sign-out')
  expect(trusted.headers['access-control-allow-credentials']).toBe('true')
  const refused = await preflight(EVIL)
  expect(refused).toMatchObject({
    status: 403,
    body: { type: 'urn:threefold:problem:origin-refused' },
    headers: { vary: 'Origin' },
  })
  expect(JSON.stringify(refused.headers)).not.toContain('evil')
  expect(upstream.seen).toEqual([])
})

test('a page of the list can read each response, also a problem and one of an upstream, and another page none', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl)
  await using upstream = await serveUpstream('payments-1')
  await using gateway = await serveGateway({
    databaseUrl,
    auth: [],
    payments: [upstream.origin],
    limits,
  })
  const read = (origin: string, path: string, as = cookie) =>
    ask(gateway.origin, path, { headers: { origin, cookie: as } })
  const responses = [
    await read(PAGE_ORIGIN, '/api/payments'),
    await read(PAGE_ORIGIN, '/api/payments', ''),
    await read(PAGE_ORIGIN, '/api/payments'),
  ]
  expect(responses.map(({ status }) => status)).toEqual([200, 401, 429])
  for (const { headers } of responses) {
    expect(headers['access-control-allow-origin']).toBe(PAGE_ORIGIN)
    expect(headers['access-control-expose-headers']).toContain('RateLimit')
  }
  expect(responses[0]?.headers.vary).toBe('Origin')
  const evil = await read(EVIL, '/api/openapi.json')
  expect(evil.headers).not.toHaveProperty('access-control-allow-origin')
})

test('a page of another origin can only change data without a cookie, unless the origin is trusted', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl)
  await using upstream = await serveUpstream('payments-1')
  await using gateway = await serveGateway({ databaseUrl, auth: [], payments: [upstream.origin] })
  const pay = (origin: string) =>
    ask(gateway.origin, '/api/payments', {
      method: 'POST',
      body: '{}',
      headers: { origin, cookie },
    })
  expect(await pay(PAGE_ORIGIN)).toMatchObject({
    status: 403,
    body: { type: 'urn:threefold:problem:cross-origin' },
    headers: { 'access-control-allow-origin': PAGE_ORIGIN },
  })
  expect((await pay(TRUSTED_ORIGIN)).status).toBe(200)
  expect(upstream.seen).toHaveLength(1)
})

test('every response of the gateway has the headers that limit what a browser does with it', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl)
  await using upstream = await serveUpstream('payments-1')
  await using gateway = await serveGateway({
    databaseUrl,
    auth: [],
    payments: [upstream.origin],
    siteOrigin: 'https://threefold.example',
  })
  const read = (path: string, as = cookie) =>
    ask(gateway.origin, path, { headers: { origin: ORIGIN, cookie: as } })
  const direct = await read('/api/me')
  expect(direct.headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'strict-origin-when-cross-origin',
    'strict-transport-security': 'max-age=31536000',
    'cross-origin-resource-policy': 'same-origin',
    'x-frame-options': 'DENY',
  })
  const forwarded = await read('/api/payments')
  expect(forwarded.headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'content-security-policy': "frame-ancestors 'none'",
    'strict-transport-security': 'max-age=31536000',
  })
  for (const problem of [
    await read('/api/me', ''),
    await read('/api/../x'),
    await read('/api/x'),
  ]) {
    expect(problem.status).toBeGreaterThanOrEqual(400)
    expect(problem.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    })
  }
})
