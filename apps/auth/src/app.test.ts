import { users } from '@repo/api'
import type { DatabaseConnection } from '@repo/database'
import { createSessions, setSessionLimit } from '@repo/session'
import { contend, expect, test } from '@repo/testing'
import { createApp } from './app.ts'
import {
  count,
  OLD_SECRET,
  openApp,
  PASSWORD,
  person,
  SECRET,
  type TestApp,
} from './auth.fixture.ts'
import { signedBy } from './cookie.fixture.ts'

async function signUp(app: TestApp, name: string) {
  const answer = await app.ask('/sign-up/email', { body: person(name) })
  expect(answer.status).toBe(200)
  return { cookie: answer.cookie, id: await idOf(app, name) }
}

async function idOf({ database }: TestApp, name: string): Promise<string> {
  const text = 'select id from "user" where email = $1'
  const { rows } = await database.pool.query<{ id: string }>(text, [person(name).email])
  return rows[0]?.id ?? ''
}

async function administrator(app: TestApp, name: string) {
  const { cookie, id } = await signUp(app, name)
  await app.database.pool.query(`update "user" set role = 'admin' where id = $1`, [id])
  return { cookie, id }
}

const validate = (app: TestApp, cookie: string) =>
  createSessions({ database: app.database, secret: SECRET }).validate(cookie)

/** From now on the credential of a new user cannot be written. */
async function refuseAccounts({ pool }: DatabaseConnection) {
  await pool.query('alter table account add constraint never check (false) not valid')
}

function withoutTransactions({ db }: DatabaseConnection): DatabaseConnection['db'] {
  return Object.create(db, { transaction: { value: (run: (tx: unknown) => unknown) => run(db) } })
}

test('a sign-up creates a session that @repo/session accepts until the user signs out', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const { id } = await signUp(app, 'ada')
  const { email } = person('ada')
  const { status, cookie } = await app.ask('/sign-in/email', {
    body: { email, password: PASSWORD },
  })
  expect(status).toBe(200)
  expect(await validate(app, cookie)).toMatchObject({
    outcome: 'valid',
    user: { id, email, name: 'ada', role: 'user' },
  })
  expect(await app.ask('/sign-out', { body: {}, headers: { cookie } })).toMatchObject({
    status: 200,
  })
  expect(await validate(app, cookie)).toEqual({ outcome: 'revoked' })
  expect((await app.ask('/get-session', { headers: { cookie } })).body).toBeNull()
})

test('a refused sign-up or sign-in gets a problem with the code and message of Better Auth', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  await signUp(app, 'bob')
  const wrong = { email: person('bob').email, password: 'wrong-password' }
  const refused = await app.ask('/sign-in/email', { body: wrong })
  expect(refused.headers.get('content-type')).toBe('application/problem+json')
  expect(refused.body).toEqual({
    type: 'about:blank',
    title: 'Unauthorized',
    status: 401,
    detail: 'Invalid email or password',
    code: 'INVALID_EMAIL_OR_PASSWORD',
    message: 'Invalid email or password',
  })
  expect(await app.ask('/sign-up/email', { body: person('bob') })).toMatchObject({
    status: 422,
    body: { status: 422, code: 'USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL' },
  })
  const short = await app.ask('/sign-up/email', { body: { ...person('cy'), password: 'x' } })
  expect(short).toMatchObject({
    status: 400,
    body: { code: 'PASSWORD_TOO_SHORT', errors: [{ field: 'password' }] },
  })
  expect(await app.ask('/no-such-route')).toMatchObject({ status: 404, body: { status: 404 } })
  for (const { body } of [short, refused]) expect(JSON.stringify(body)).not.toContain('.ts')
})

test('the sign-ups of 16 users at once create 16 accounts without an outage', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const made = await contend(16, (i) => app.ask('/sign-up/email', { body: person(`one-of-${i}`) }))
  expect(made.map((each) => each.status === 'fulfilled' && each.value.status)).toEqual(
    Array(16).fill(200),
  )
})

test('a sign-in from another origin is refused, with and without a cookie', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const { cookie } = await signUp(app, 'dora')
  const { email } = person('dora')
  const body = { email, password: PASSWORD }
  for (const foreign of [
    { cookie },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
  ]) {
    const headers = { origin: 'http://evil.test', ...foreign }
    expect(await app.ask('/sign-in/email', { body, headers })).toMatchObject({
      status: 403,
      body: { status: 403 },
      cookie: '',
    })
  }
})

test('a session has the address from the gateway, and no other', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  const headers = { 'x-client-ip': '203.0.113.7', 'x-forwarded-for': '6.6.6.6' }
  const { cookie } = await app.ask('/sign-up/email', { body: person('eve'), headers })
  const { body } = await app.ask('/get-session', { headers: { cookie } })
  expect(body).toMatchObject({ session: { ipAddress: '203.0.113.7' } })
})

test('a session has at most 256 characters of the user agent', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  const headers = { 'user-agent': `kettle/${'1'.repeat(8_000)}` }
  const { cookie } = await app.ask('/sign-up/email', { body: person('finn'), headers })
  const { body } = await app.ask('/get-session', { headers: { cookie } })
  const { userAgent } = Object(body['session'])
  expect(userAgent).toMatch(/^kettle\/1{249}$/)
})

test('a sign-up that fails halfway stores no user, and can be repeated', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const before = await count(app.database, 'user')
  await refuseAccounts(app.database)
  // The app's own answer: Better Auth's would have printed the query with its parameters.
  expect(await app.ask('/sign-up/email', { body: person('half') })).toMatchObject({
    status: 500,
    body: { type: 'urn:threefold:problem:internal' },
  })
  expect(await count(app.database, 'user')).toBe(before)
  expect(app.lines.join('')).not.toContain('params')

  // Without the transaction there would be a user who can neither sign in nor sign up.
  await using mutant = await openApp(databaseUrl, withoutTransactions)
  expect((await mutant.ask('/sign-up/email', { body: person('half') })).status).toBe(500)
  expect(await count(app.database, 'user')).toBe(before + 1)

  await app.database.pool.query('alter table account drop constraint never')
  await app.database.pool.query(`delete from "user" where name = 'half'`)
  await signUp(app, 'half')
})

test('sessions are listed, and a revoked one is invalid while the others are valid', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const { cookie } = await signUp(app, 'fay')
  const body = { email: person('fay').email, password: PASSWORD }
  const other = await app.ask('/sign-in/email', { body })
  const listed = await app.ask('/list-sessions', { headers: { cookie } })
  expect(listed.body).toHaveLength(2)

  const token = other.body['token']
  expect(await app.ask('/revoke-session', { body: { token }, headers: { cookie } })).toMatchObject({
    status: 200,
  })
  expect(await validate(app, other.cookie)).toEqual({ outcome: 'revoked' })
  expect(await validate(app, cookie)).toMatchObject({ outcome: 'valid' })

  const third = await app.ask('/sign-in/email', { body })
  await app.ask('/revoke-other-sessions', { body: {}, headers: { cookie } })
  expect(await validate(app, third.cookie)).toEqual({ outcome: 'revoked' })
  expect(await validate(app, cookie)).toMatchObject({ outcome: 'valid' })
})

test('a session ends with the next sign-in of the same browser', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  const { cookie } = await signUp(app, 'kim')
  const body = { email: person('kim').email, password: PASSWORD }
  const again = await app.ask('/sign-in/email', { body, headers: { cookie } })
  expect(await validate(app, cookie)).toEqual({ outcome: 'revoked' })
  expect(await validate(app, again.cookie)).toMatchObject({ outcome: 'valid' })
  const wrong = { body: { ...body, password: 'wrong' }, headers: { cookie: again.cookie } }
  expect((await app.ask('/sign-in/email', wrong)).status).toBe(401)
  expect(await validate(app, again.cookie)).toMatchObject({ outcome: 'valid' })
})

test('all sessions end with the password, and the browser that changed it has a new one', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const { cookie } = await signUp(app, 'lea')
  const body = { email: person('lea').email, password: PASSWORD }
  const other = await app.ask('/sign-in/email', { body })
  const changed = await app.ask('/change-password', {
    body: { currentPassword: PASSWORD, newPassword: 'four-of-everything' },
    headers: { cookie },
  })
  expect(changed.status).toBe(200)
  expect(changed.headers.get('x-session-settlement')).toMatch(
    /^confirmed; instances=1; acked=1; lapsed=0; ms=[\d.]+$/,
  )
  expect(await validate(app, cookie)).toEqual({ outcome: 'revoked' })
  expect(await validate(app, other.cookie)).toEqual({ outcome: 'revoked' })
  expect(await validate(app, changed.cookie)).toMatchObject({ outcome: 'valid' })
})

test('a session from before a change of the secret is valid after it, in Better Auth too', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const { cookie } = await signUp(app, 'moe')
  const headers = { cookie: signedBy(OLD_SECRET, cookie) }
  expect(headers.cookie).not.toBe(cookie)
  const listed = await app.ask('/list-sessions', { headers })
  expect(listed.body).toHaveLength(1)
  expect(await app.ask('/sign-out', { body: {}, headers })).toMatchObject({ status: 200 })
  expect(await validate(app, cookie)).toEqual({ outcome: 'revoked' })

  const unknown = { cookie: signedBy('z9Yx2mQ9vR4tY8wZ1aB5cD3eF6gH0iL-', cookie) }
  expect(await app.ask('/list-sessions', { headers: unknown })).toMatchObject({ status: 401 })
})

test('a user has at most the allowed number of sessions after simultaneous sign-ins', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const { id } = await signUp(app, 'nil')
  const body = { email: person('nil').email, password: PASSWORD }
  const alive = async () => {
    const text = 'select count(*)::int as n from session where user_id = $1'
    return (await app.database.pool.query<{ n: number }>(text, [id])).rows[0]?.n
  }
  await setSessionLimit(app.database, { max: 3, onExceeded: 'reject' })
  const answers = await contend(8, () => app.ask('/sign-in/email', { body }))
  const responses = answers.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  expect(responses.filter(({ status }) => status === 200)).toHaveLength(2)
  expect(responses.find(({ status }) => status !== 200)).toMatchObject({
    status: 403,
    body: { type: 'urn:threefold:problem:too-many-sessions' },
    cookie: '',
  })
  expect(await alive()).toBe(3)

  await setSessionLimit(app.database, { max: 3, onExceeded: 'evict-oldest' })
  const evicting = await contend(4, () => app.ask('/sign-in/email', { body }))
  expect(evicting.every((each) => each.status === 'fulfilled' && each.value.status === 200)).toBe(
    true,
  )
  expect(await alive()).toBe(3)
  await setSessionLimit(app.database, undefined)
})

test('a user cannot revoke the session of another user', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  const gil = await app.ask('/sign-up/email', { body: person('gil') })
  const { cookie } = await signUp(app, 'hal')
  const body = { token: gil.body['token'] }
  await app.ask('/revoke-session', { body, headers: { cookie } })
  expect(await validate(app, gil.cookie)).toMatchObject({ outcome: 'valid' })
})

test('an administrator lists, bans and unbans users; a banned user is signed out at once and cannot sign in', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const { cookie } = await administrator(app, 'root')
  const target = await signUp(app, 'ivy')
  const headers = { cookie }
  const signIn = { body: { email: person('ivy').email, password: PASSWORD } }

  const listed = await app.ask('/admin/list-users?limit=100', { headers })
  expect(listed.body['users']).toContainEqual(expect.objectContaining({ id: target.id }))
  expect(users.parse(listed.body).users).toHaveLength(Number(listed.body['total']))

  const ban = await app.ask('/admin/ban-user', { body: { userId: target.id }, headers })
  expect(ban.status).toBe(200)
  expect(await validate(app, target.cookie)).toEqual({ outcome: 'revoked' })
  expect(await app.ask('/sign-in/email', signIn)).toMatchObject({
    status: 403,
    body: { code: 'BANNED_USER', status: 403 },
  })

  await app.ask('/admin/unban-user', { body: { userId: target.id }, headers })
  expect(await app.ask('/sign-in/email', signIn)).toMatchObject({ status: 200 })
})

test('a user without the role gets 403 on the routes of administrators, and 401 without a session', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const { cookie, id } = await signUp(app, 'jan')
  const body = { userId: id }
  for (const [path, ask] of Object.entries({
    '/admin/list-users': {},
    '/admin/ban-user': { body },
    '/admin/unban-user': { body },
    '/admin/set-role': { body: { ...body, role: 'admin' } },
    '/admin/revoke-user-sessions': { body },
  })) {
    expect(await app.ask(path, { ...ask, headers: { cookie } }), path).toMatchObject({
      status: 403,
    })
    expect(await app.ask(path, ask), path).toMatchObject({ status: 401, body: { status: 401 } })
  }
  expect(await validate(app, cookie)).toMatchObject({ outcome: 'valid', user: { role: 'user' } })
})

test('a sign-up cannot choose its role', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  await app.ask('/sign-up/email', { body: { ...person('mal'), role: 'admin' } })
  await app.ask('/sign-up/email', { body: { ...person('mal2'), banned: false, id: 'chosen' } })
  const { rows } = await app.database.pool.query(
    `select role, id from "user" where name like 'mal%' and (role <> 'user' or id = 'chosen')`,
  )
  expect(rows).toEqual([])
})

test('a sign-in is 503 at once if its former session cannot be read, without waiting for the outage twice', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  let asked = 0
  const handler = async (request: Request) => {
    asked += 1
    return app.auth.handler(request)
  }
  const cause = new Error('away')
  const sessions = {
    ...app.sessions,
    validate: async () => ({ outcome: 'unavailable', cause }) as const,
  }
  const cookies = { secret: SECRET }
  const { request } = createApp({ auth: { handler }, sessions, cookies, log: app.log })
  const headers = { 'content-type': 'application/json' }
  const sent = { method: 'POST', headers, body: '{}' }
  const answer = await request('/api/auth/sign-in/email', sent)
  expect(answer.status).toBe(503)
  expect(answer.headers.get('retry-after')).toBe('1')
  expect(asked).toBe(0)
})
