import { expect, test } from '@repo/testing'
import { ask, serveGateway, signedIn } from '../gateway.fixture.ts'
import { parseLimits } from '../limits/limits.ts'
import { serveUpstream } from '../servers.fixture.ts'

test('a method that an endpoint does not have is 405 with Allow, and no upstream receives it', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl)
  await using upstream = await serveUpstream('any-1')
  const targets = { auth: [upstream.origin], payments: [upstream.origin] }
  await using gateway = await serveGateway({ databaseUrl, ...targets })
  for (const [method, path, allow] of [
    ['DELETE', '/api/payments', 'GET, HEAD, POST'],
    ['PATCH', '/api/payments/7', 'GET, HEAD'],
    ['TRACE', '/api/payments', 'GET, HEAD, POST'],
    ['GET', '/api/auth/sign-in/email', 'POST'],
    ['PROPFIND', '/api/me', 'GET, HEAD'],
    ['PUT', '/api/settings/public', 'GET, HEAD'],
    ['GET', '/api/limits/blocks?policy=ip&id=1', 'DELETE, POST'],
  ] as const) {
    for (const headers of [{ cookie }, {}]) {
      const refused = await ask(gateway.origin, path, { method, headers })
      expect({ method, path, ...refused }).toMatchObject({
        method,
        path,
        status: 405,
        headers: { allow, 'content-type': 'application/problem+json' },
        body: { type: 'urn:threefold:problem:method-not-allowed', status: 405 },
      })
    }
  }
  expect(upstream.seen).toEqual([])
})

test('a path of a service without an endpoint accepts every method, and OPTIONS reaches its service', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl)
  await using upstream = await serveUpstream('any-1')
  const targets = { auth: [upstream.origin], payments: [upstream.origin] }
  await using gateway = await serveGateway({ databaseUrl, ...targets })
  const requests = [
    ['DELETE', '/api/payments/7/refunds'],
    ['PROPFIND', '/api/auth/oauth2/token'],
    ['OPTIONS', '/api/payments'],
    ['HEAD', '/api/payments/7'],
  ] as const
  for (const [method, path] of requests) {
    expect((await ask(gateway.origin, path, { method, headers: { cookie } })).status).toBe(200)
  }
  expect(upstream.seen.map(({ method, url }) => [method, url])).toEqual(requests)
})

test('a wrong method uses the quota of its sender', async ({ databaseUrl }) => {
  await using upstream = await serveUpstream('auth-1')
  const parsed = parseLimits({
    policies: [{ name: 'ip', quota: 2, windowMs: 60_000, by: 'ip' }],
    routes: [{ path: '/api/auth', policies: ['ip'] }],
  })
  await using gateway = await serveGateway({
    databaseUrl,
    auth: [upstream.origin],
    payments: [],
    ...(parsed.outcome === 'valid' && { limits: parsed.limits }),
  })
  const statuses = []
  for (let i = 0; i < 3; i += 1) {
    statuses.push((await ask(gateway.origin, '/api/auth/sign-out')).status)
  }
  expect(statuses).toEqual([405, 405, 429])
})
