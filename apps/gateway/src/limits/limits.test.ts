import { readFile } from 'node:fs/promises'
import { expect, test } from '@repo/testing'
import { ask, serveGateway, signedIn } from '../gateway.fixture.ts'
import { serveUpstream } from '../servers.fixture.ts'
import { type Limits, parseLimits } from './limits.ts'

function limits(source: unknown): Limits {
  const parsed = parseLimits(source)
  if (parsed.outcome === 'invalid') throw new Error(parsed.faults.join('\n'))
  return parsed.limits
}

const tight = limits({
  policies: [
    { name: 'ip', quota: 5, windowMs: 60_000, by: 'ip' },
    { name: 'pay', quota: 2, windowMs: 60_000, by: 'user' },
    { name: 'client', quota: 1, windowMs: 60_000, by: 'client' },
  ],
  routes: [
    { path: '/api/payments', methods: ['POST'], policies: ['pay'] },
    { path: '/api/auth/oauth2', policies: ['client'] },
    { path: '/api', policies: ['ip'] },
  ],
})

test.for(['limits.json', 'limits.load-test.json'])('the file %s has valid limits', async (name) => {
  const text = await readFile(new URL(`../../${name}`, import.meta.url), 'utf8')
  expect(parseLimits(text)).toMatchObject({ outcome: 'valid' })
})

test('an invalid file of limits returns all its faults at once', () => {
  expect(parseLimits('{"policies":')).toEqual({ outcome: 'invalid', faults: ['is not JSON'] })
  expect(parseLimits([])).toMatchObject({ outcome: 'invalid' })
  const parsed = parseLimits({
    policies: [{ name: 'ip', quota: -1, windowMs: 60_000, by: 'ip' }],
    routes: [
      { path: 'api', policies: [] },
      { path: '/api', methods: ['GRAB'], policies: ['x'] },
    ],
    more: 1,
  })
  const faults = parsed.outcome === 'invalid' ? parsed.faults : []
  expect(faults).toHaveLength(5)
  for (const part of [
    'more',
    'routes[0].path',
    'routes[0].policies',
    'routes[1].methods',
    '"ip"',
  ]) {
    expect(faults.some((fault) => fault.includes(part))).toBe(true)
  }
  const unknown = { policies: [], routes: [{ path: '/api', policies: ['ip', 'pay'] }] }
  expect(parseLimits(unknown)).toEqual({
    outcome: 'invalid',
    faults: ['routes[0]: there is no policy "ip"', 'routes[0]: there is no policy "pay"'],
  })
})

test('a limited request gets the remaining quota, and 429 above it, on forwarded and own routes', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl)
  await using upstream = await serveUpstream('payments-1')
  const payments = [upstream.origin]
  await using gateway = await serveGateway({ databaseUrl, auth: [], payments, limits: tight })
  for (const [method, path, quota, window] of [
    ['GET', '/api/me', 5, 'ip'],
    ['POST', '/api/payments', 2, 'pay'],
  ] as const) {
    for (let left = quota - 1; left >= 0; left -= 1) {
      const passed = await ask(gateway.origin, path, { method, headers: { cookie } })
      expect(passed).toMatchObject({
        status: 200,
        headers: {
          'ratelimit-policy': `"${window}";q=${quota};w=60`,
          ratelimit: expect.stringMatching(new RegExp(`^"${window}";r=${left};t=\\d+$`)),
        },
      })
      expect(passed.headers['retry-after']).toBeUndefined()
    }
    const refused = await ask(gateway.origin, path, { method, headers: { cookie } })
    expect(refused).toMatchObject({
      status: 429,
      headers: {
        'content-type': 'application/problem+json',
        'cache-control': 'no-store',
        'retry-after': expect.stringMatching(/^\d+$/),
      },
      body: { status: 429, 'violated-policies': [window] },
    })
  }
  expect(upstream.seen).toHaveLength(2)
})

test('each user and each client has a separate quota', async ({ databaseUrl }) => {
  const [one, other] = [await signedIn(databaseUrl), await signedIn(databaseUrl)]
  await using upstream = await serveUpstream('any-1')
  const upstreams = { auth: [upstream.origin], payments: [upstream.origin] }
  await using gateway = await serveGateway({ databaseUrl, ...upstreams, limits: tight })
  const pay = async ({ cookie }: { cookie: string }) =>
    (await ask(gateway.origin, '/api/payments', { method: 'POST', headers: { cookie } })).status
  expect([await pay(one), await pay(one), await pay(one), await pay(other)]).toEqual([
    ...[200, 200, 429, 200],
  ])
  const token = async (id: string) => {
    const authorization = `Basic ${Buffer.from(`${id}:secret`).toString('base64')}`
    const path = '/api/auth/oauth2/token'
    return (await ask(gateway.origin, path, { method: 'POST', headers: { authorization } })).status
  }
  expect([await token('a'), await token('a'), await token('b')]).toEqual([200, 429, 200])
})

test('an administrator reads the decisions of limits, blocks and unblocks keys, and sets valid limits only', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl, 'admin')
  const person = await signedIn(databaseUrl)
  await using upstream = await serveUpstream('payments-1')
  const payments = [upstream.origin]
  const loose = limits({
    policies: [{ name: 'pay', quota: 100, windowMs: 60_000, by: 'user' }],
    routes: [{ path: '/api/payments', policies: ['pay'] }],
  })
  await using gateway = await serveGateway({ databaseUrl, auth: [], payments, limits: loose })
  const { origin } = gateway
  const send = (method: string, path: string, body?: unknown) =>
    ask(origin, path, {
      method,
      headers: { cookie, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  const pay = async () =>
    (await ask(origin, '/api/payments', { headers: { cookie: person.cookie } })).status
  const id = person.identity.userId

  expect(await pay()).toBe(200)
  expect(
    await send('POST', '/api/limits/blocks', { policy: 'pay', id, forMs: 60_000 }),
  ).toMatchObject({ status: 200 })
  expect(await pay()).toBe(429)
  const shown = await send('GET', '/api/limits')
  expect(shown).toMatchObject({
    status: 200,
    body: { limits: { policies: [{ name: 'pay', quota: 100 }], routes: [{}] } },
  })
  const blocked = [{ policy: 'pay', id: expect.any(String), endsInMs: expect.any(Number) }]
  expect(shown.body['activity']).toMatchObject({ minutes: 5, blocked })
  const blockPath = `/api/limits/blocks?policy=pay&id=${encodeURIComponent(id)}`
  expect(await send('DELETE', blockPath)).toMatchObject({ status: 200 })
  expect(await pay()).toBe(200)

  const faulty = {
    policies: [{ name: 'pay', quota: 'many', windowMs: 1, by: 'user' }],
    routes: [],
  }
  const refused = await send('PUT', '/api/limits', faulty)
  expect(refused).toMatchObject({ status: 422, body: { errors: [{}, {}] } })
  expect(await pay()).toBe(200)
  const free = { name: 'pay', quota: 'unlimited', windowMs: 60_000, by: 'user' }
  const freed = await send('PUT', '/api/limits', { policies: [free], routes: [] })
  expect(freed.body['limits']).toMatchObject({ policies: [{ quota: 'unlimited' }] })
  const none = { policies: [{ name: 'pay', quota: 0, windowMs: 60_000, by: 'user' }] }
  const routes = [{ path: '/api/payments', policies: ['pay'] }]
  expect(await send('PUT', '/api/limits', { ...none, routes })).toMatchObject({
    status: 200,
    body: { delivery: { outcome: 'everywhere', acked: ['memory'] } },
  })
  expect(await pay()).toBe(429)

  for (const [method, path, body] of [
    ['POST', '/api/limits/blocks', { policy: 'no', id, forMs: 60_000 }],
    ['POST', '/api/limits/blocks', { policy: 'pay', id, forMs: 1 }],
    ['DELETE', '/api/limits/blocks?policy=pay', undefined],
  ] as const) {
    expect(await send(method, path, body)).toMatchObject({ status: 422 })
  }
  const refusedRead = await ask(origin, '/api/limits', { headers: { cookie: person.cookie } })
  expect(refusedRead.status).toBe(403)
  await gateway.database.pool.query('delete from setting')
})
