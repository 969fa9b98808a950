import { createHash } from 'node:crypto'
import { type AuthEndpoint, type AuthRequest, authResponses } from '@repo/api'
import { expect, test } from '@repo/testing'
import { openApp, PASSWORD, person, type TestApp } from './auth.fixture.ts'

const tokenOf = (cookie: string) =>
  decodeURIComponent(cookie.split('=')[1] ?? '').split('.')[0] ?? ''

/** The cookies of a browser after a response: a new value replaces one, and an empty value removes it. */
function merged(before: string, after: string): string {
  const jar = new Map<string, string>()
  for (const pair of `${before}; ${after}`.split('; ')) {
    const equals = pair.indexOf('=')
    jar.set(pair.slice(0, equals), pair.slice(equals + 1))
  }
  const stored = [...jar].filter(([, value]) => value !== '')
  return stored.map(([name, value]) => `${name}=${value}`).join('; ')
}

const NEXT = `${PASSWORD}-next`

/** Sends requests of one client, and parses each response by the schema of its endpoint. */
function createCaller(app: TestApp, seen: Set<string>) {
  return async function call<Key extends AuthEndpoint>(
    endpoint: Key,
    given: AuthRequest<Key>,
    cookie = '',
  ): Promise<{ cookie: string; body: unknown }> {
    const [method = '', path = ''] = endpoint.split(' ')
    const fields = Object.entries(given).map(([name, value]) => [name, String(value)])
    const query = method === 'GET' ? `?${new URLSearchParams(fields).toString()}` : ''
    const answer = await app.ask(`${path}${query}`, {
      method,
      headers: { cookie },
      ...(method === 'POST' && { body: given }),
    })
    expect(answer.status, `${endpoint}: ${JSON.stringify(answer.body)}`).toBe(200)
    const parsed = authResponses[endpoint].safeParse(answer.body)
    expect(parsed.error?.issues, `${endpoint}: ${JSON.stringify(answer.body)}`).toBeUndefined()
    seen.add(endpoint)
    return { cookie: answer.cookie, body: parsed.data }
  }
}

test('a success of every endpoint of auth matches the schema in the OpenAPI document', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const seen = new Set<string>()
  const call = createCaller(app, seen)
  const { pool } = app.database
  const idOf = async (name: string) => {
    const { rows } = await pool.query<{ id: string }>('select id from "user" where email = $1', [
      person(name).email,
    ])
    return rows[0]?.id ?? ''
  }
  const signIn = async (name: string, password = PASSWORD) =>
    (await call('POST /sign-in/email', { email: person(name).email, password })).cookie

  await call('GET /ok', {})
  expect((await call('GET /get-session', {})).body).toBeNull()
  const ada = (await call('POST /sign-up/email', person('ada'))).cookie
  await call('GET /get-session', {}, ada)
  await call('POST /verify-password', { password: PASSWORD }, ada)
  await call('POST /update-user', { name: 'Ada L.' }, ada)
  expect((await call('GET /list-sessions', {}, ada)).body).toHaveLength(1)
  await call('POST /revoke-session', { token: tokenOf(await signIn('ada')) }, ada)
  await call('POST /revoke-other-sessions', {}, ada)
  const changed = { currentPassword: PASSWORD, newPassword: NEXT, revokeOtherSessions: true }
  const renewed = (await call('POST /change-password', changed, ada)).cookie
  await call('POST /revoke-sessions', {}, renewed)
  await call('POST /sign-out', {}, await signIn('ada', NEXT))

  const token = createHash('sha256').update('a token of a test').digest('hex')
  await pool.query(
    `insert into verification (id, identifier, value, expires_at)
     values ($1, 'reset-password:' || $1, $2, now() + interval '1 h')`,
    [token, await idOf('ada')],
  )
  await call('POST /reset-password', { newPassword: PASSWORD, token })

  await call('POST /sign-up/email', person('grace'))
  await pool.query(`update "user" set role = 'admin' where id = $1`, [await idOf('grace')])
  const grace = await signIn('grace')
  const userId = await idOf('ada')
  await call('GET /admin/list-users', { limit: '20', sortBy: 'createdAt' }, grace)
  await call('POST /admin/ban-user', { userId, banReason: 'a test', banExpiresIn: 3_600 }, grace)
  await call('POST /admin/unban-user', { userId }, grace)
  await call('POST /admin/set-role', { userId, role: 'user' }, grace)
  await call('POST /admin/set-user-password', { userId, newPassword: NEXT }, grace)
  const sessionToken = tokenOf(await signIn('ada', NEXT))
  await call('POST /admin/revoke-user-session', { sessionToken }, grace)
  await call('POST /admin/revoke-user-sessions', { userId }, grace)
  const acting = (await call('POST /admin/impersonate-user', { userId }, grace)).cookie
  await call('POST /admin/stop-impersonating', {}, merged(grace, acting))
  await call('POST /admin/remove-user', { userId }, await signIn('grace'))

  expect([...seen].toSorted()).toEqual(Object.keys(authResponses).toSorted())
})
