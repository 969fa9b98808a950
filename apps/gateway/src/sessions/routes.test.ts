import { expect, test } from '@repo/testing'
import { addSession, ask, serveGateway, signedIn } from '../gateway.fixture.ts'
import { serveUpstream } from '../servers.fixture.ts'

const nowhere = { auth: [], payments: [] }

test('a user lists the sessions without tokens, and can end each of them but none of another user', async ({
  databaseUrl,
}) => {
  const { cookie, identity } = await signedIn(databaseUrl)
  const stranger = await signedIn(databaseUrl)
  await using gateway = await serveGateway({ databaseUrl, ...nowhere })
  const other = await addSession(gateway.database, identity.userId)
  const read = (path: string, method = 'GET', as = cookie) =>
    ask(gateway.origin, path, { method, headers: { cookie: as } })
  expect((await read('/api/me', 'GET', other.cookie)).status).toBe(200)

  const { body } = await read('/api/sessions')
  expect(body['sessions']).toHaveLength(2)
  expect(body['sessions']).toContainEqual({
    id: identity.sessionId,
    agent: null,
    address: null,
    createdAt: expect.any(String),
    lastSeenAt: expect.any(String),
    expiresAt: expect.any(String),
    current: true,
  })
  const foreign = await read(`/api/sessions/${stranger.identity.sessionId}`, 'DELETE')
  expect(foreign.status).toBe(404)
  for (const id of ['%20', 'a%20b', '%ED%A0%80', 'x'.repeat(5_000)]) {
    expect((await read(`/api/sessions/${id}`, 'DELETE')).status, id).toBe(404)
  }
  for (const id of ['%00', 'a%00b']) {
    expect((await read(`/api/sessions/${id}`, 'DELETE')).status, id).toBe(400)
  }
  expect((await read('/api/me', 'GET', stranger.cookie)).status).toBe(200)

  expect(await read(`/api/sessions/${other.sessionId}`, 'DELETE')).toMatchObject({
    status: 200,
    body: { outcome: 'confirmed', revoked: 1, instances: 1, acked: 1, lapsed: 0 },
  })
  expect((await read('/api/me', 'GET', other.cookie)).status).toBe(401)
  expect((await read('/api/me')).status).toBe(200)
})

test('a user ends all sessions except the current one at once', async ({ databaseUrl }) => {
  const { cookie, identity } = await signedIn(databaseUrl)
  await using gateway = await serveGateway({ databaseUrl, ...nowhere })
  const add = () => addSession(gateway.database, identity.userId)
  const others = await Promise.all([add(), add()])
  const me = (as: string) => ask(gateway.origin, '/api/me', { headers: { cookie: as } })
  for (const other of others) expect((await me(other.cookie)).status).toBe(200)
  const ended = await ask(gateway.origin, '/api/sessions', {
    method: 'DELETE',
    headers: { cookie },
  })
  expect(ended).toMatchObject({ status: 200, body: { outcome: 'confirmed', revoked: 2 } })
  for (const other of others) expect((await me(other.cookie)).status).toBe(401)
  expect((await me(cookie)).status).toBe(200)
})

test('a second cookie that is due is set on forwarded responses and on those of the gateway', async ({
  databaseUrl,
}) => {
  const { cookie } = await signedIn(databaseUrl)
  await using upstream = await serveUpstream('payments-1')
  await using forwarding = await serveGateway({
    databaseUrl,
    auth: [],
    payments: [upstream.origin],
  })
  await using answering = await serveGateway({ databaseUrl, ...nowhere })
  for (const [{ origin }, path] of [
    [forwarding, '/api/payments'],
    [answering, '/api/me'],
  ] as const) {
    const answers = [
      await ask(origin, path, { headers: { cookie } }),
      await ask(origin, path, { headers: { cookie } }),
    ]
    const given = answers.flatMap(({ headers }) => headers['set-cookie'] ?? [])
    expect(given).toEqual([
      expect.stringMatching(
        /^threefold\.sc=[\w.%=-]+; Max-Age=60; Path=\/; HttpOnly; SameSite=Lax$/,
      ),
    ])
  }
})

test('only administrators can read the figures of sign-ins and session checks', async ({
  databaseUrl,
}) => {
  const person = await signedIn(databaseUrl)
  const administrator = await signedIn(databaseUrl, 'admin')
  await using gateway = await serveGateway({ databaseUrl, ...nowhere })
  const read = (as: string, query = '') =>
    ask(gateway.origin, `/api/observability${query}`, { headers: { cookie: as } })
  expect((await read('')).status).toBe(401)
  expect((await read(person.cookie)).status).toBe(403)
  const { body } = await read(administrator.cookie, '?scope=instance')
  expect(body).toMatchObject({
    scope: 'instance',
    authentication: {
      uptime: { milliseconds: expect.any(Number), startTime: expect.any(String) },
      logins: { total: 0, last24Hours: {}, lastLoginTimestamp: null },
      validations: { total: 2, databaseQueries: expect.any(Number), failures: 0 },
      users: { activeCount: 2, deletedDetected: 0, bannedDetected: 0 },
      costs: { savingsPercentage: expect.any(String) },
      performance: { cacheEffectiveness: expect.any(String) },
    },
    validationCache: { maxSize: 10_000, ttlMs: 300_000, backend: 'in-memory' },
  })
})
