import { createdKey, type NewKey, scopes } from '@repo/api'
import { endpoints } from '@repo/api/endpoints'
import { NO_BODY } from '@repo/service'
import { expect, test } from '@repo/testing'
import {
  ask,
  checkIdentity,
  type GatewayOptions,
  send,
  serveGateway,
  signedIn,
} from '../gateway.fixture.ts'
import { parseLimits } from '../limits/limits.ts'
import { serveUpstream } from '../servers.fixture.ts'
import { createKeyText, writeKeyText } from './key-text.ts'

const EVERY = Object.keys(scopes).filter((scope): scope is keyof typeof scopes => scope in scopes)

async function open(databaseUrl: string, options: Partial<GatewayOptions> = {}) {
  const [auth, payments] = [await serveUpstream('auth-1'), await serveUpstream('payments-1')]
  const upstreams = { auth: [auth.origin], payments: [payments.origin] }
  const gateway = await serveGateway({ databaseUrl, ...upstreams, ...options })
  const { origin } = gateway
  return {
    auth,
    payments,
    origin,
    /** Creates a key for the session of a cookie. */
    async create(cookie: string, allowed: NewKey['scopes'] = EVERY) {
      const body = JSON.stringify({ name: 'Build', scopes: allowed })
      const creation = { method: 'POST', headers: { cookie }, body }
      return createdKey.parse((await ask(origin, '/api/keys', creation)).body)
    },
    /** Sends a request as a program does, without the headers of a page. */
    call: (key: string, path: string, method = 'GET', headers = {}, body?: string) =>
      send(origin, path, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
        ...(body !== undefined && { body }),
      }),
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      await Promise.all([auth[Symbol.asyncDispose](), payments[Symbol.asyncDispose]()])
    },
  }
}

test('an API key in either header acts as its user, but never as an administrator', async ({
  databaseUrl,
}) => {
  const { cookie, identity } = await signedIn(databaseUrl, 'admin')
  await using opened = await open(databaseUrl)
  const { text, key } = await opened.create(cookie)
  const expected = {
    status: 200,
    headers: { 'cache-control': 'private, no-store' },
    body: {
      user: { id: identity.userId, name: 'Ada', email: identity.email, role: 'user' },
      key: { id: key.id, name: 'Build', scopes: EVERY },
      via: 'api-key',
    },
  }
  const me = await opened.call(text, '/api/me')
  expect(me).toMatchObject(expected)
  expect(me.body).not.toHaveProperty('session')
  const headers = { 'x-api-key': text }
  expect(await send(opened.origin, '/api/me', { headers })).toMatchObject(expected)
})

test('a key without the scope of an endpoint gets 403 that names the scope, and nothing is forwarded', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl)
  await using opened = await open(databaseUrl)
  const { text } = await opened.create(cookie, ['payments:read'])
  for (const method of ['GET', 'HEAD']) {
    expect((await opened.call(text, '/api/payments', method)).status).toBe(200)
  }
  expect((await opened.call(text, '/api/payments/7')).status).toBe(200)
  opened.payments.seen.length = 0
  const refused = await opened.call(text, '/api/payments', 'POST', {}, '{"amount":1}')
  expect(refused).toMatchObject({
    status: 403,
    headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="payments:write"' },
    body: {
      type: 'urn:threefold:problem:missing-scope',
      detail: expect.stringContaining('payments:write'),
    },
  })
  expect((await opened.call(text, '/api/me')).body['detail']).toContain('account:read')
  expect(opened.payments.seen).toEqual([])
})

test('a key with every scope of an administrator can use only the endpoints with a scope, and no other path', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl, 'admin')
  await using opened = await open(databaseUrl)
  const { text } = await opened.create(cookie)
  const withoutScope = endpoints.flatMap(({ method, path, scope, auth }) => {
    const isPublic = auth === 'open' && !path.startsWith('/api/auth')
    return scope === undefined && !isPublic ? [[method, path.replaceAll(/\{\w+\}/g, '7')]] : []
  })
  const others = [
    ['GET', '/api/payments/7/lines'],
    ['POST', '/api/payments/7'],
    ['GET', '/.well-known/openid-configuration'],
    ['GET', '/api/auth/unknown'],
    ['GET', '/api/unknown'],
  ]
  for (const [method = '', path = ''] of [...withoutScope, ...others]) {
    // With the cookie of the administrator, which has no effect.
    const { status } = await opened.call(text, path, method, { cookie })
    expect([403, 405], `${method} ${path}`).toContain(status)
  }
  expect(opened.payments.seen).toEqual([])
  expect(opened.auth.seen).toEqual([])
  expect(withoutScope.length).toBeGreaterThan(25)
})

test('an upstream receives the user and the scopes of a key, but neither the key nor a cookie', async ({
  databaseUrl,
}) => {
  const { cookie, identity } = await signedIn(databaseUrl, 'admin')
  const eve = await signedIn(databaseUrl)
  await using opened = await open(databaseUrl)
  const { text, key } = await opened.create(cookie, ['payments:read'])
  await opened.call(text, '/api/payments', 'GET', { cookie: eve.cookie })
  await send(opened.origin, '/api/payments', { headers: { 'x-api-key': text } })
  expect(opened.payments.seen).toHaveLength(2)
  for (const seen of opened.payments.seen) {
    expect(checkIdentity(seen)).toEqual({
      outcome: 'valid',
      identity: {
        userId: identity.userId,
        email: identity.email,
        role: 'user',
        sessionId: `key:${key.id}`,
        key: { id: key.id, scopes: ['payments:read'] },
      },
      body: NO_BODY,
    })
    expect(JSON.stringify(seen)).not.toContain(text.slice(-43))
    expect(seen.headers.cookie).toBeUndefined()
  }
})

test('a request with a key and a cookie is decided by the key alone', async ({ databaseUrl }) => {
  const [ada, eve] = [await signedIn(databaseUrl), await signedIn(databaseUrl)]
  await using opened = await open(databaseUrl)
  const { text } = await opened.create(ada.cookie)
  const headers = { cookie: eve.cookie }
  const me = await opened.call(text, '/api/me', 'GET', headers)
  expect(me.body).toMatchObject({ user: { id: ada.identity.userId }, via: 'api-key' })
  expect(me.headers['set-cookie']).toBeUndefined()
  // No page of another site can send a key, so the check of the source is for cookies.
  const foreign = { ...headers, origin: 'https://evil.example' }
  expect((await opened.call(text, '/api/payments', 'POST', foreign, '{}')).status).toBe(200)
  const invented = writeKeyText(createKeyText())
  for (const key of [invented, 'tf_', `${text}x`]) {
    expect((await opened.call(key, '/api/me', 'GET', headers)).status).toBe(401)
    expect((await opened.call(key, '/api/payments', 'POST', foreign, '{}')).status).toBe(401)
    expect((await opened.call(key, '/api/auth/sign-out', 'POST', foreign, '{}')).status).toBe(403)
  }
  const both = await opened.call(text, '/api/me', 'GET', { 'x-api-key': invented })
  expect(both).toMatchObject({ status: 401, body: { type: 'urn:threefold:problem:key-malformed' } })
  const onlyCookie = { method: 'POST', headers: { ...foreign }, body: '{}' }
  expect((await send(opened.origin, '/api/payments', onlyCookie)).status).toBe(403)
  expect(opened.payments.seen).toHaveLength(1)
})

test('a revoked key gets 401 from its answer on, and the problem names the reason', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl)
  await using opened = await open(databaseUrl)
  const { text, key } = await opened.create(cookie)
  expect((await opened.call(text, '/api/me')).status).toBe(200)
  await ask(opened.origin, `/api/keys/${key.id}`, { method: 'DELETE', headers: { cookie } })
  expect(await opened.call(text, '/api/me')).toMatchObject({
    status: 401,
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    body: { type: 'urn:threefold:problem:key-revoked' },
  })
})

test('requests with a refused key use the quota of their address, and of the key if it is valid', async ({
  databaseUrl,
}) => {
  const limits = parseLimits({
    policies: [
      { name: 'ip', quota: 6, windowMs: 60_000, by: 'ip' },
      { name: 'key', quota: 2, windowMs: 60_000, by: 'key' },
    ],
    routes: [{ path: '/api/payments', policies: ['ip', 'key'] }],
  })
  if (limits.outcome === 'invalid') throw new Error(limits.faults.join())
  const { cookie } = await signedIn(databaseUrl)
  await using opened = await open(databaseUrl, { limits: limits.limits })
  const { text } = await opened.create(cookie, ['account:read'])
  const statuses: number[] = []
  for (const key of [
    text,
    text,
    text,
    'tf_short',
    'tf_short',
    'tf_short',
    'tf_short',
    'tf_short',
  ]) {
    statuses.push((await opened.call(key, '/api/payments')).status)
  }
  expect(statuses).toEqual([403, 403, 429, 401, 401, 401, 401, 429])
})

test('each key has its own quota, and the quota of the user counts all of them', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl)
  const parsed = parseLimits({
    policies: [
      { name: 'key', quota: 3, windowMs: 60_000, by: 'key' },
      { name: 'user', quota: 5, windowMs: 60_000, by: 'user' },
    ],
    routes: [{ path: '/api/me', policies: ['key', 'user'] }],
  })
  if (parsed.outcome === 'invalid') throw new Error(parsed.faults.join('\n'))
  await using opened = await open(databaseUrl, { limits: parsed.limits })
  const [first, second] = [await opened.create(cookie), await opened.create(cookie)]
  const statuses = async (key: string, n: number) => {
    const all: number[] = []
    for (let i = 0; i < n; i += 1) all.push((await opened.call(key, '/api/me')).status)
    return all
  }
  expect(await statuses(first.text, 4)).toEqual([200, 200, 200, 429])
  expect(await statuses(second.text, 3)).toEqual([200, 200, 429])
  const refused = await opened.call(second.text, '/api/me')
  expect(refused).toMatchObject({ status: 429, headers: { 'retry-after': expect.any(String) } })
})

test('invented keys get 401 and then 429, and never reach an upstream', async ({ databaseUrl }) => {
  await using opened = await open(databaseUrl)
  const counts = new Map<number, number>()
  for (let n = 0; n < 110; n += 1) {
    const { status } = await opened.call(writeKeyText(createKeyText()), '/api/payments')
    counts.set(status, (counts.get(status) ?? 0) + 1)
  }
  expect([...counts]).toEqual([
    [401, 100],
    [429, 10],
  ])
  expect(opened.payments.seen).toEqual([])
})

test('while PostgreSQL is unavailable, a cached key works and another key gets 503, never 401', async ({
  databaseUrl,
  tcpProxy,
}) => {
  const { cookie } = await signedIn(databaseUrl)
  const postgres = await tcpProxy({ target: databaseUrl })
  await using opened = await open(postgres.url)
  const { text } = await opened.create(cookie)
  expect((await opened.call(text, '/api/payments')).status).toBe(200)
  await postgres.cut()
  expect((await opened.call(text, '/api/payments')).status).toBe(200)
  const cold = await opened.call(writeKeyText(createKeyText()), '/api/payments')
  expect(cold).toMatchObject({ status: 503, headers: { 'retry-after': expect.any(String) } })
  await postgres.heal()
})
