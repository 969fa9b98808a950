import { randomUUID } from 'node:crypto'
import { expect, test, until } from '@repo/testing'
import {
  type Answer,
  ask,
  environment,
  openApp,
  PASSWORD,
  person,
  type TestApp,
} from '../auth.fixture.ts'

const NEW_PASSWORD = 'four-of-everything'

/** The `Cookie` header of a browser that had `cookie` and got `answer`. */
function keep(cookie: string, { headers }: Answer): string {
  const jar = new Map(cookie.split('; ').map((pair) => [pair.split('=', 1)[0], pair]))
  for (const line of headers.getSetCookie()) {
    const pair = line.split(';', 1)[0] ?? ''
    const name = pair.split('=', 1)[0]
    if (pair === `${name}=`) jar.delete(name)
    else jar.set(name, pair)
  }
  return [...jar.values()].join('; ')
}

async function signUp(app: TestApp, role: 'user' | 'admin') {
  const { body, cookie } = await app.ask('/sign-up/email', { body: person(randomUUID()) })
  const { id, email } = Object(body['user'])
  await app.database.pool.query('update "user" set role = $2 where id = $1', [id, role])
  return { id: String(id), email: String(email), cookie }
}

/** An administrator acts for a user; another administrator is there too. */
async function open(databaseUrl: string) {
  const app = await openApp(databaseUrl)
  const [admin, user] = [await signUp(app, 'admin'), await signUp(app, 'user')]
  const { cookie: other } = await signUp(app, 'admin')
  const post = (path: string, body: object, cookie: string) =>
    app.ask(path, { body, headers: { cookie } })
  const begin = () => post('/admin/impersonate-user', { userId: user.id }, admin.cookie)
  const begun = await begin()
  expect(begun.status).toBe(200)
  const impersonated = keep(admin.cookie, begun)
  return { app, admin, user, other, post, begin, impersonated }
}

type Opened = Awaited<ReturnType<typeof open>>

test('an impersonation names its administrator, and stopping returns to the session of the administrator', async ({
  databaseUrl,
}) => {
  const { app, admin, user, post, impersonated } = await open(databaseUrl)
  await using _ = app
  expect(await app.sessions.validate(impersonated)).toMatchObject({
    outcome: 'valid',
    user: { id: user.id },
    actor: { id: admin.id },
  })
  const stopped = await post('/admin/stop-impersonating', {}, impersonated)
  expect(stopped.status).toBe(200)
  expect(stopped.headers.get('x-session-settlement')).toMatch(/^confirmed; /)
  expect(await app.sessions.validate(impersonated)).toEqual({ outcome: 'revoked' })
  const back = keep(impersonated, stopped)
  expect(back).not.toContain('admin_session')
  const check = await app.sessions.validate(back)
  expect(check).toMatchObject({ outcome: 'valid', user: { id: admin.id } })
  expect(check).not.toHaveProperty('actor')
})

test('an impersonation ends with the session of the administrator when either signs out', async ({
  databaseUrl,
}) => {
  const { app, admin, post, impersonated } = await open(databaseUrl)
  await using _ = app
  const out = await post('/sign-out', {}, impersonated)
  expect(out.status).toBe(200)
  expect(keep(impersonated, out)).not.toMatch(/session|dont_remember/)
  expect(await app.sessions.validate(impersonated)).toEqual({ outcome: 'revoked' })
  expect(await app.sessions.validate(admin.cookie)).toEqual({ outcome: 'revoked' })
})

test('an impersonation ends with the session of the administrator also if the browser sends a second session cookie', async ({
  databaseUrl,
}) => {
  const { app, admin, post, impersonated } = await open(databaseUrl)
  await using _ = app
  const twice = `${impersonated}; better-auth-8080.session_token=x.y`
  expect((await post('/sign-out', {}, twice)).status).toBe(200)
  for (const cookie of [impersonated, admin.cookie]) {
    expect(await app.sessions.validate(cookie)).toEqual({ outcome: 'revoked' })
  }
})

const ENDS: [end: string, make: (opened: Opened) => Promise<Answer>][] = [
  ['signs out', ({ post, admin }) => post('/sign-out', {}, admin.cookie)],
  ['signs out everywhere', ({ post, admin }) => post('/revoke-sessions', {}, admin.cookie)],
  [
    'is signed out by another one',
    ({ post, admin, other }) => post('/admin/revoke-user-sessions', { userId: admin.id }, other),
  ],
  [
    'signs in again',
    ({ post, admin }) =>
      post('/sign-in/email', { email: admin.email, password: PASSWORD }, admin.cookie),
  ],
  [
    'changes the password',
    ({ post, admin }) => {
      const body = { currentPassword: PASSWORD, newPassword: NEW_PASSWORD }
      return post('/change-password', body, admin.cookie)
    },
  ],
  [
    'gets another password',
    ({ post, admin, other }) =>
      post('/admin/set-user-password', { userId: admin.id, newPassword: NEW_PASSWORD }, other),
  ],
  [
    'is demoted',
    ({ post, admin, other }) => post('/admin/set-role', { userId: admin.id, role: 'user' }, other),
  ],
  ['is banned', ({ post, admin, other }) => post('/admin/ban-user', { userId: admin.id }, other)],
  [
    'is removed',
    ({ post, admin, other }) => post('/admin/remove-user', { userId: admin.id }, other),
  ],
]

test.for(ENDS)(
  'an impersonation has ended once the administrator %s',
  async ([, make], { databaseUrl }) => {
    const opened = await open(databaseUrl)
    await using app = opened.app
    expect(await app.sessions.validate(opened.impersonated)).toMatchObject({ outcome: 'valid' })
    expect((await make(opened)).status).toBe(200)
    expect(await app.sessions.validate(opened.impersonated)).toEqual({ outcome: 'revoked' })
    const headers = { cookie: opened.impersonated }
    expect((await app.ask('/get-session', { headers })).body).toBeNull()
    const stop = await opened.post('/admin/stop-impersonating', {}, opened.impersonated)
    expect(stop.status).toBe(401)
  },
)

test('an impersonation writes nothing, also without a gateway that refuses it', async ({
  databaseUrl,
}) => {
  const { app, user, post, impersonated } = await open(databaseUrl)
  await using _ = app
  const refused = { status: 403, body: { type: 'urn:threefold:problem:impersonating' } }
  const writes: [path: string, body: object][] = [
    ['/update-user', { name: 'Mallory' }],
    ['/change-password', { currentPassword: PASSWORD, newPassword: NEW_PASSWORD }],
    ['/verify-password', { password: PASSWORD }],
    ['/revoke-sessions', {}],
    ['/admin/set-role', { userId: user.id, role: 'admin' }],
    ['/admin/impersonate-user', { userId: user.id }],
  ]
  for (const [path, body] of writes) {
    expect({ path, ...(await post(path, body, impersonated)) }).toMatchObject({
      path,
      ...refused,
    })
  }
  expect(await app.sessions.validate(user.cookie)).toMatchObject({
    outcome: 'valid',
    user: { email: user.email, role: 'user' },
  })
  const headers = { cookie: impersonated }
  expect((await app.ask('/list-sessions', { headers })).status).toBe(200)
})

const RACES: [end: string, statement: string, status: number][] = [
  ['is demoted', `update "user" set role = 'user' where id = $1`, 401],
  ['is banned', 'update "user" set banned = true where id = $1', 401],
  ['is removed', 'delete from "user" where id = $1', 401],
  ['signs out', 'delete from session where user_id = $1 and impersonated_by is null', 403],
]

test.for(RACES)(
  'an impersonation does not begin if the administrator %s after the check',
  async ([, statement, status], { databaseUrl }) => {
    const { app, admin, user, begin } = await open(databaseUrl)
    await using _ = app
    const { pool } = app.database
    const holder = await pool.connect()
    try {
      await holder.query('begin')
      await holder.query(statement, [admin.id])
      // It reads what was true before, and waits where the database admits the session.
      const beginning = begin()
      await until(async () => {
        const { rowCount } = await pool.query(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        )
        return rowCount === 1
      })
      await holder.query('commit')
      expect(await beginning).toMatchObject({ status, cookie: '' })
    } finally {
      holder.release(true)
    }
    const left = await pool.query('select 1 from session where impersonated_by = $1', [admin.id])
    expect(left.rowCount).toBe(0)
    expect(await app.sessions.validate(user.cookie)).toMatchObject({ outcome: 'valid' })
  },
)

test('an impersonation of one instance has ended on another when a third ends it, and each log line names both users', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  const env = environment(databaseUrl, redisUrl)
  await using app = await openApp(databaseUrl)
  const [admin, user] = [await signUp(app, 'admin'), await signUp(app, 'user')]
  const program = new URL('../main.ts', import.meta.url)
  const three = await replicas(3, { program, env, ready: '/readyz' })
  const post = (at: number, path: string, body: object, cookie: string) =>
    ask(fetch, three[at]!.url, path, { body, headers: { cookie } })
  const begun = await post(0, '/admin/impersonate-user', { userId: user.id }, admin.cookie)
  const headers = { cookie: keep(admin.cookie, begun) }
  const acted = await ask(fetch, three[1]!.url, '/get-session', { headers })
  expect(acted.body).toMatchObject({ user: { id: user.id }, session: { impersonatedBy: admin.id } })
  const refused = await post(1, '/update-user', { name: 'Mallory' }, headers.cookie)
  expect(refused.status).toBe(403)
  expect((await post(2, '/sign-out', {}, headers.cookie)).status).toBe(200)
  for (const { url } of three) {
    for (const cookie of [headers.cookie, admin.cookie]) {
      expect((await ask(fetch, url, '/get-session', { headers: { cookie } })).body).toBeNull()
    }
  }
  const lines = () => three[1]!.output().split('\n')
  for (const path of ['/api/auth/get-session', '/api/auth/update-user']) {
    await until(() =>
      lines().some((line) => {
        const named =
          line.includes(`"actor":"${admin.id}"`) && line.includes(`"account":"${user.id}"`)
        return named && line.includes('"event":"request"') && line.includes(`"path":"${path}"`)
      }),
    )
  }
})
