import { randomUUID } from 'node:crypto'
import { NO_BODY } from '@repo/service'
import { expect, test } from '@repo/testing'
import {
  addSession,
  ask,
  checkIdentity,
  serveGateway,
  signedIn,
  type TestGateway,
} from './gateway.fixture.ts'
import { serveUpstream } from './servers.fixture.ts'

async function open(databaseUrl: string) {
  const [admin, ada] = [await signedIn(databaseUrl, 'admin'), await signedIn(databaseUrl)]
  const [auth, payments] = [await serveUpstream('auth-1'), await serveUpstream('payments-1')]
  const upstreams = { auth: [auth.origin], payments: [payments.origin] }
  const gateway = await serveGateway({ databaseUrl, ...upstreams })
  const { cookie, sessionId } = await addSession(gateway.database, ada.identity.userId, {
    impersonatedBy: admin.identity.userId,
    sourceSessionId: admin.identity.sessionId,
  })
  return {
    admin,
    ada,
    auth,
    payments,
    gateway,
    sessionId,
    send: (method: string, path: string, body?: string) =>
      ask(gateway.origin, path, { method, headers: { cookie }, ...(body && { body }) }),
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      await Promise.all([auth[Symbol.asyncDispose](), payments[Symbol.asyncDispose]()])
    },
  }
}

async function sessionsIn({ database: { pool } }: TestGateway) {
  const { rows } = await pool.query<{ n: number }>('select count(*)::int as n from session')
  return rows[0]?.n
}

test('an administrator who acts for a user reads as the user, and /api/me and payments learn the administrator', async ({
  databaseUrl,
}) => {
  await using opened = await open(databaseUrl)
  const { send, admin, ada, payments, sessionId } = opened
  const actor = { id: admin.identity.userId, name: 'Ada' }
  for (let check = 0; check < 2; check += 1) {
    const me = await send('GET', '/api/me')
    expect(me.body).toMatchObject({ user: { id: ada.identity.userId }, actor })
    // A second cookie could not name the administrator.
    expect(me.headers['set-cookie']).toBeUndefined()
  }
  expect((await send('GET', '/api/payments')).status).toBe(200)
  expect(checkIdentity(payments.seen[0]!)).toEqual({
    outcome: 'valid',
    identity: { ...ada.identity, sessionId, actor },
    body: NO_BODY,
  })
})

const WRITES: [method: string, path: string][] = [
  ['POST', '/api/payments'],
  ['PUT', '/api/payments/1'],
  ['PATCH', '/api/payments/1'],
  ['DELETE', '/api/sessions'],
  ['DELETE', `/api/sessions/${randomUUID()}`],
  ['PUT', '/api/settings/announcement'],
  ['PUT', '/api/limits'],
  ['POST', '/api/auth/change-password'],
  ['POST', '/api/auth/update-user'],
  ['POST', '/api/auth/revoke-sessions'],
  ['POST', '/api/auth/sign-in/email'],
  ['POST', '/api/auth/admin/impersonate-user'],
  ['POST', '/api/auth/sign-out/'],
  ['DELETE', '/api/auth/sign-out'],
  ['POST', '/api/a-route-of-a-new-service'],
]

test('an administrator who acts for a user gets 403 for each write, and no upstream receives it', async ({
  databaseUrl,
}) => {
  await using opened = await open(databaseUrl)
  const { send, auth, payments, gateway } = opened
  const before = await sessionsIn(gateway)
  for (const [method, path] of WRITES) {
    expect({ method, path, ...(await send(method, path)) }).toMatchObject({
      method,
      path,
      status: 403,
      body: { type: 'urn:threefold:problem:impersonating' },
    })
  }
  expect([...auth.seen, ...payments.seen]).toEqual([])
  expect(await sessionsIn(gateway)).toBe(before)
})

test('an administrator who acts for a user may stop, and may sign out', async ({ databaseUrl }) => {
  await using opened = await open(databaseUrl)
  const { send, auth } = opened
  const allowed = ['/api/auth/admin/stop-impersonating', '/api/auth/sign-out']
  for (const path of allowed) expect((await send('POST', path, '{}')).status).toBe(200)
  expect(auth.seen.map(({ url }) => url)).toEqual(allowed)
})

test('the user and the administrator themselves write as before', async ({ databaseUrl }) => {
  await using opened = await open(databaseUrl)
  const { gateway, admin, ada } = opened
  for (const { cookie } of [admin, ada]) {
    for (const path of ['/api/payments', '/api/auth/update-user']) {
      const options = { method: 'POST', headers: { cookie }, body: '{}' }
      expect((await ask(gateway.origin, path, options)).status).toBe(200)
    }
    const me = await ask(gateway.origin, '/api/me', { headers: { cookie } })
    expect(me.body).not.toHaveProperty('actor')
  }
})
