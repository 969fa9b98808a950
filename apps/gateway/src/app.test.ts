import type { Instance } from '@repo/service'
import { expect, test } from '@repo/testing'
import { ask, serveGateway, type SignedIn, signedIn } from './gateway.fixture.ts'
import { serveUpstream } from './servers.fixture.ts'

const nowhere = { auth: [], payments: [] }

function instance(id: string, secret: string): Instance {
  return {
    id,
    app: 'auth',
    version: '1.2.3',
    url: `http://${id}`,
    startedAt: `2026-11-24T12:00:0${id.at(-1)}.000Z`,
    ready: true,
    load: 3,
    fingerprint: { AUTH_SECRET: secret },
  }
}

async function readCluster(
  caller: SignedIn | undefined,
  databaseUrl: string,
  instances: () => Promise<Instance[]>,
) {
  await using gateway = await serveGateway({ databaseUrl, ...nowhere, instances })
  return await ask(gateway.origin, '/api/cluster', { headers: { cookie: caller?.cookie ?? '' } })
}

async function refuseRead(): Promise<Instance[]> {
  throw new Error('the registry must not be read')
}

test('the route /api/me returns the signed-in user, and 401 to other callers', async ({
  databaseUrl,
}) => {
  const { cookie, identity } = await signedIn(databaseUrl)
  await using gateway = await serveGateway({ databaseUrl, ...nowhere })
  const me = await ask(gateway.origin, '/api/me', { headers: { cookie } })
  expect(me.headers['cache-control']).toBe('private, no-store')
  expect(me).toMatchObject({
    status: 200,
    body: {
      user: { id: identity.userId, email: identity.email, role: 'user', name: 'Ada' },
      session: { id: identity.sessionId },
      via: 'session',
    },
  })
  expect(JSON.stringify(me.body)).not.toContain('token')
  expect(await ask(gateway.origin, '/api/me')).toMatchObject({
    status: 401,
    body: { type: 'urn:threefold:problem:signed-out' },
  })
})

test('a cached session is valid while PostgreSQL hangs; other requests that need a session get 503 within 2 s, never 401', async ({
  ownPostgres,
}) => {
  const cached = await signedIn(ownPostgres.url)
  await using upstream = await serveUpstream('auth-1')
  const { cookie } = await signedIn(ownPostgres.url, 'admin')
  await using gateway = await serveGateway({
    databaseUrl: ownPostgres.url,
    auth: [upstream.origin],
    payments: [],
  })
  const read = (path: string, as = cookie) => ask(gateway.origin, path, { headers: { cookie: as } })
  expect((await read('/api/me', cached.cookie)).status).toBe(200)
  await ownPostgres.pause()
  const paths = ['/api/me', '/api/me', '/api/cluster', '/api/payments', '/api/payments']
  for (const answer of await Promise.all(paths.map((path) => read(path)))) {
    expect(answer).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      body: { type: 'urn:threefold:problem:unavailable' },
    })
    expect(answer.ms).toBeLessThan(2_000)
  }
  // Auth reports the outage itself, so the request does not wait for it twice.
  const forwarded = await read('/api/auth/list-sessions')
  expect(forwarded).toMatchObject({
    status: 200,
    headers: { 'x-instance-id': 'gateway-2, auth-1' },
  })
  expect(forwarded.ms).toBeLessThan(500)
  const { identity } = cached
  expect(await read('/api/me', cached.cookie)).toMatchObject({
    status: 200,
    body: { user: { id: identity.userId } },
  })
  ownPostgres.resume()
  expect((await read('/api/me')).status).toBe(200)
})

test('the route /api/cluster is 401 without a session, and 403 for users who are no administrators', async ({
  databaseUrl,
}) => {
  expect(await readCluster(undefined, databaseUrl, refuseRead)).toMatchObject({ status: 401 })
  const person = await signedIn(databaseUrl)
  expect(await readCluster(person, databaseUrl, refuseRead)).toMatchObject({
    status: 403,
    body: { type: 'urn:threefold:problem:administrators-only' },
  })
})

test('the route /api/cluster lists every instance with its drift, and without the hash of a setting', async ({
  databaseUrl,
}) => {
  const administrator = await signedIn(databaseUrl, 'admin')
  const listed = [instance('a-1', 'x'), instance('a-2', 'x'), instance('a-3', 'odd')]
  const { status, body } = await readCluster(administrator, databaseUrl, async () => listed)
  expect(status).toBe(200)
  const same = {
    app: 'auth',
    version: '1.2.3',
    ready: true,
    load: 3,
    fingerprint: expect.stringMatching(/^[0-9a-f]{8}$/),
  }
  expect(body).toEqual({
    instances: [
      { ...same, id: 'a-1', url: 'http://a-1', startedAt: listed[0]!.startedAt, drift: [] },
      { ...same, id: 'a-2', url: 'http://a-2', startedAt: listed[1]!.startedAt, drift: [] },
      {
        ...same,
        id: 'a-3',
        url: 'http://a-3',
        startedAt: listed[2]!.startedAt,
        drift: ['AUTH_SECRET'],
      },
    ],
  })
  const words = JSON.stringify(body).match(/"fingerprint":"\w+"/g)
  expect(words?.[0]).toBe(words?.[1])
  expect(words?.[0]).not.toBe(words?.[2])
})
