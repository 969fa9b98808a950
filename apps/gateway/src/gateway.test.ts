import { claimOf, NO_BODY } from '@repo/service'
import { expect, freePort, test } from '@repo/testing'
import {
  ask,
  checkIdentity,
  identities,
  ORIGIN,
  type SignedIn,
  serveGateway,
  signedIn,
  type TestGateway,
} from './gateway.fixture.ts'
import { serveUpstream, type Upstream } from './servers.fixture.ts'

interface Setup extends AsyncDisposable {
  gateway: TestGateway
  auth: Upstream
  payments: Upstream
  ada: SignedIn
}

async function setUp(databaseUrl: string, trustedHops = 1): Promise<Setup> {
  const ada = await signedIn(databaseUrl)
  const [auth, payments] = await Promise.all([serveUpstream('auth-3'), serveUpstream('payments-1')])
  const gateway = await serveGateway({
    databaseUrl,
    auth: [auth.origin],
    payments: [payments.origin],
    trustedHops,
  })
  return {
    gateway,
    auth,
    payments,
    ada,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      await Promise.all([auth[Symbol.asyncDispose](), payments[Symbol.asyncDispose]()])
    },
  }
}

test('the identity in a request to payments is signed for exactly its method and path', async ({
  databaseUrl,
}) => {
  await using all = await setUp(databaseUrl)
  const { gateway, payments, ada } = all
  const { cookie } = ada
  const requests = [
    ['GET', '/api/payments'],
    ['POST', '/api/payments'],
    ['GET', '/api/payments/01890a5d-ac96-774b-bcce-b302099a8057?expand=all&q=a%20b'],
    ['GET', `/api/payments?q="<'>`],
    ['GET', '/api/payments?'],
    ['HEAD', '/api/payments'],
  ] as const
  for (const [method, path] of requests) {
    expect((await ask(gateway.origin, path, { method, headers: { cookie } })).status).toBe(200)
    const seen = payments.seen.at(-1)!
    expect(seen.url).toBe(path)
    expect(checkIdentity(seen)).toEqual({ outcome: 'valid', identity: ada.identity, body: NO_BODY })
    for (const other of [
      { method: 'DELETE' },
      { url: '/api/payments/of-another-user' },
      { headers: { ...seen.headers, 'x-client-ip': '192.0.2.1' } },
      { headers: { ...seen.headers, 'x-request-id': 'another-request' } },
    ]) {
      expect(checkIdentity(seen, other)).toEqual({ outcome: 'forged' })
    }
  }
})

test('an identity from outside never passes in any spelling, with or without a session', async ({
  databaseUrl,
}) => {
  await using all = await setUp(databaseUrl)
  const { gateway, auth, payments, ada } = all
  const request = {
    method: 'GET',
    target: '/api/payments',
    requestId: 'a-known-id',
    clientIp: '127.0.0.1',
  }
  const forged: string[] = []
  identities.sign(forged, { ...ada.identity, role: 'admin' }, request, NO_BODY)
  const [, version2 = '', , version1 = ''] = forged
  const spoofed = {
    'X-IDENTITY': version1,
    'X-Identity-2': version2,
    'x-request-id': request.requestId,
    'x-client-ip': '6.6.6.6',
  }
  await ask(gateway.origin, '/api/auth/ok', { headers: spoofed })
  expect(auth.seen[0]!.headers).not.toHaveProperty('x-identity')
  expect(auth.seen[0]!.headers).not.toHaveProperty('x-identity-2')
  expect(auth.seen[0]!.headers['x-client-ip']).toBe('127.0.0.1')

  // The sender cannot remove the header of the gateway by calling it hop-by-hop.
  const hop = {
    ...spoofed,
    cookie: ada.cookie,
    connection: 'x-identity, x-identity-2, x-client-ip',
  }
  await ask(gateway.origin, '/api/payments', { headers: hop })
  expect(payments.seen.pop()!.headers).toMatchObject({
    'x-identity': expect.any(String),
    'x-identity-2': expect.any(String),
    'x-client-ip': '127.0.0.1',
  })

  expect((await ask(gateway.origin, '/api/payments', { headers: spoofed })).status).toBe(401)
  expect(payments.seen).toEqual([])
  await ask(gateway.origin, '/api/payments', { headers: { ...spoofed, cookie: ada.cookie } })
  expect(checkIdentity(payments.seen[0]!)).toEqual({
    outcome: 'valid',
    identity: ada.identity,
    body: NO_BODY,
  })
  expect(payments.seen[0]!.headers['x-client-ip']).toBe('127.0.0.1')
})

test('the identity of a user with very long stored fields fits into a header', async ({
  databaseUrl,
}) => {
  await using all = await setUp(databaseUrl)
  const { gateway, payments, ada } = all
  const { userId } = ada.identity
  await gateway.database.pool.query(
    `update "user" set email = $2, name = $3, image = 'javascript:alert(1)' where id = $1`,
    [userId, `${'x'.repeat(60_000)}@threefold.test`, 'x'.repeat(900_000)],
  )
  const headers = { cookie: ada.cookie }
  expect((await ask(gateway.origin, '/api/payments', { headers })).status).toBe(200)
  const seen = payments.seen.at(-1)!
  expect(String(seen.headers['x-identity']).length).toBeLessThan(1_024)
  expect(String(seen.headers['x-identity-2']).length).toBeLessThan(1_024)
  expect(checkIdentity(seen)).toMatchObject({
    outcome: 'valid',
    identity: { userId, email: expect.stringMatching(/^x{253}…$/) },
  })
  const me = await ask(gateway.origin, '/api/me', { headers })
  expect(me.status).toBe(200)
  expect(JSON.stringify(me.body).length).toBeLessThan(1_024)
  expect(me.body).toMatchObject({ user: { id: userId, image: null } })
})

test('a request without a valid session is not forwarded to payments', async ({ databaseUrl }) => {
  await using all = await setUp(databaseUrl)
  const { gateway, payments, ada } = all
  for (const cookie of [
    '',
    `${ada.cookie}x`,
    ada.cookie.replace(/%3D$/, ''),
    `${ada.cookie}; ${ada.cookie}`,
  ]) {
    const answer = await ask(gateway.origin, '/api/payments', {
      method: 'POST',
      headers: { cookie },
      body: '{}',
    })
    expect(answer).toMatchObject({
      status: 401,
      body: { type: 'urn:threefold:problem:signed-out' },
    })
  }
  expect(payments.seen).toEqual([])
})

test('a path that only resembles a route is never forwarded', async ({ databaseUrl }) => {
  await using all = await setUp(databaseUrl)
  const { gateway, auth, payments, ada } = all
  const tricks = {
    '/api/payments%2F..': 400,
    '/api/payments%2f': 400,
    '/api/payments%5c': 400,
    '/api/payments%00': 400,
    '/api/%70ayments': 400,
    '//api/payments': 400,
    '/api//payments': 400,
    '/API/PAYMENTS': 404,
    '/api/Payments': 404,
    '/api/paymentsx': 404,
    '/api/authx/sign-in': 404,
    '/api': 404,
    '/': 404,
    '/api/payments/../auth/sign-out': 400,
    '/api/payments/..': 400,
    '/api/payments/.': 400,
    '/api/payments/%2e%2e/auth': 400,
    '/api/payments/.%2E/me': 400,
    '/api/payments\\..\\auth': 400,
    '/api/auth/../payments': 400,
    '/api/auth/../../metrics': 400,
    '/.well-known/../api/payments': 400,
    '/api/payments#fragment': 400,
    'http://evil.test/api/payments': 400,
    '*': 400,
  }
  for (const [path, status] of Object.entries(tricks)) {
    const answer = await ask(gateway.origin, path, { headers: { cookie: ada.cookie } })
    expect({ path, status: answer.status, body: answer.body }).toMatchObject({
      path,
      status,
      body: { status },
    })
  }
  expect([...auth.seen, ...payments.seen]).toEqual([])
  // An escape that means no other path is forwarded, and signed as it is.
  const path = '/api/payments/a%20b'
  await ask(gateway.origin, path, { headers: { cookie: ada.cookie } })
  expect(checkIdentity(payments.seen[0]!).outcome).toBe('valid')
})

test('payments receives no cookie, and a request with a body is signed with its claim', async ({
  databaseUrl,
}) => {
  await using all = await setUp(databaseUrl)
  const { gateway, payments, ada } = all
  const headers = { cookie: `theme=dark; ${ada.cookie}`, origin: ORIGIN }
  await ask(gateway.origin, '/api/payments', { headers })
  await ask(gateway.origin, '/api/payments', { method: 'POST', headers, body: '{}' })
  expect(payments.seen).toHaveLength(2)
  for (const seen of payments.seen) expect(seen.headers).not.toHaveProperty('cookie')
  const claims = payments.seen.map((seen) => checkIdentity(seen))
  expect(claims).toMatchObject([{ body: NO_BODY }, { body: claimOf(Buffer.from('{}')) }])
})

test('requests to /api/auth and /.well-known go to auth, without an identity', async ({
  databaseUrl,
}) => {
  await using all = await setUp(databaseUrl)
  const { gateway, auth, payments, ada } = all
  const paths = ['/api/auth/get-session', '/.well-known/openid-configuration', '/api/auth']
  for (const path of paths) await ask(gateway.origin, path, { headers: { cookie: ada.cookie } })
  expect(auth.seen.map(({ url }) => url)).toEqual(paths)
  for (const { headers } of auth.seen) {
    expect(headers).not.toHaveProperty('x-identity')
    expect(headers).not.toHaveProperty('x-identity-2')
    expect(headers.cookie).toBe(ada.cookie)
  }
  expect(payments.seen).toEqual([])
})

test('a path without a route is a 404 problem', async ({ databaseUrl }) => {
  await using all = await setUp(databaseUrl)
  const answer = await ask(all.gateway.origin, '/api/nowhere?token=x')
  expect(answer.headers['content-type']).toBe('application/problem+json')
  expect(answer).toMatchObject({ status: 404, body: { type: 'urn:threefold:problem:not-found' } })
})

test('a response names the instance that made it and the gateway that forwarded it', async ({
  databaseUrl,
}) => {
  await using all = await setUp(databaseUrl)
  const { gateway, ada } = all
  const auth = await ask(gateway.origin, '/api/auth/ok')
  expect(auth.headers['x-instance-id']).toBe('gateway-2, auth-3')
  const payments = await ask(gateway.origin, '/api/payments', { headers: { cookie: ada.cookie } })
  expect(payments.headers['x-instance-id']).toBe('gateway-2, payments-1')
  expect(payments.body).toEqual({ up: true })
})

test('the response is 503 with Retry-After when no instance of the upstream is reachable', async ({
  databaseUrl,
}) => {
  const ada = await signedIn(databaseUrl)
  const dead = await Promise.all([1, 2, 3].map(async () => `http://127.0.0.1:${await freePort()}`))
  await using gateway = await serveGateway({ databaseUrl, auth: dead, payments: dead })
  for (const path of ['/api/auth/ok', '/api/payments', '/.well-known/x']) {
    const answer = await ask(gateway.origin, path, { headers: { cookie: ada.cookie } })
    expect(answer).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1', 'content-type': 'application/problem+json' },
      body: { type: 'urn:threefold:problem:connect-failed' },
    })
    expect(answer.ms).toBeLessThan(1_000)
  }
})

test('a body over 1 MiB is 413, with a length and in chunks', async ({ databaseUrl }) => {
  await using all = await setUp(databaseUrl)
  const { gateway, auth, payments, ada } = all
  const headers = { cookie: ada.cookie }
  const body = 'x'.repeat(1_048_577)
  for (const path of ['/api/auth/sign-in/email', '/api/payments']) {
    for (const framing of [{ 'content-length': body.length }, { 'transfer-encoding': 'chunked' }]) {
      const options = { method: 'POST', headers: { ...headers, ...framing }, body }
      const answer = await ask(gateway.origin, path, options)
      expect(answer).toMatchObject({
        status: 413,
        body: { type: 'urn:threefold:problem:body-too-large' },
      })
    }
  }
  expect([...auth.seen, ...payments.seen]).toEqual([])
  const largest = { method: 'POST', headers, body: body.slice(1) }
  expect((await ask(gateway.origin, '/api/payments', largest)).status).toBe(200)
  expect(payments.seen[0]!.body).toHaveLength(1_048_576)
})

test.for([
  [0, '127.0.0.1'],
  [1, '203.0.113.7'],
  [2, '198.51.100.9'],
] as const)(
  'behind %i trusted proxies the address of the client is %s, with any forged entries',
  async ([hops, address], { databaseUrl }) => {
    await using all = await setUp(databaseUrl, hops)
    const headers = {
      'x-forwarded-for': '6.6.6.6, 198.51.100.9, 203.0.113.7',
      'x-client-ip': '6.6.6.6',
    }
    await ask(all.gateway.origin, '/api/auth/ok', { headers })
    expect(all.auth.seen[0]!.headers['x-client-ip']).toBe(address)
  },
)
