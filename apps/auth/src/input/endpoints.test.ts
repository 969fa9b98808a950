import { inRequest, readRequestContext } from '@repo/observability'
import { expect, test } from '@repo/testing'
import { ORIGIN, openApp, PASSWORD, person, type TestApp } from '../auth.fixture.ts'
import { availableEndpoints } from './endpoints.ts'

/** The endpoints that Better Auth and its plugins offer over HTTP. */
function offered({ auth }: TestApp): string[] {
  return Object.values(auth.api).flatMap((endpoint) => {
    const path: unknown = endpoint.path
    const { method }: { method?: unknown } = endpoint.options
    if (typeof path !== 'string') return []
    return [method].flat().map((each) => `${String(each)} ${path}`)
  })
}

async function administrator(app: TestApp, name: string) {
  const { cookie, body } = await app.ask('/sign-up/email', { body: person(name) })
  const user: unknown = body['user']
  const id = typeof user === 'object' && user !== null && 'id' in user ? String(user.id) : ''
  await app.database.pool.query(`update "user" set role = 'admin' where id = $1`, [id])
  return { id, headers: { cookie } }
}

test('an endpoint of Better Auth is available with a method if and only if the contract lists it', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const { headers } = await administrator(app, 'root')
  const mounted = availableEndpoints()
  expect(offered(app)).toEqual(expect.arrayContaining(mounted))
  const others = offered(app).filter((each) => !mounted.includes(each))
  expect(others).toEqual(
    expect.arrayContaining([
      'POST /link-social',
      'POST /unlink-account',
      'POST /delete-user',
      'POST /admin/create-user',
      'GET /callback/:id',
    ]),
  )
  for (const each of others) {
    const [method = '', path = ''] = each.split(' ')
    const body = method === 'POST' ? {} : undefined
    const answer = await app.ask(path.replace(':id', 'github'), { method, body, headers })
    expect(answer, each).toMatchObject({ status: 404, body: { status: 404 } })
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
  }
})

test('an endpoint answers only under the exact path and method of the contract', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const { email } = person('root')
  const body = { email, password: PASSWORD }
  for (const path of ['/sign-in/email/', '//sign-in/email', '/sign-in%2Femail', '/SIGN-IN/email']) {
    expect(await app.ask(path, { body }), path).toMatchObject({ status: 404, cookie: '' })
  }
  for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    expect(await app.ask('/sign-in/email', { method, body })).toMatchObject({ status: 404 })
  }
  expect(await app.ask('/sign-out')).toMatchObject({ status: 404 })
})

const LONG = 'x'.repeat(60_000)
const NUL = 'a\0b'
const anyone = { name: 'ada', email: 'ada@threefold.test', password: PASSWORD }

/** Inputs that are refused, and the field that the answer names. */
const REFUSED: [path: string, body: unknown, field: string][] = [
  ...['', '  ', LONG, 'x'.repeat(101), NUL, 'a\u0007', 'a\u202Eb', '\uD800', {}, [], 1, null].map(
    (name): [string, unknown, string] => ['/sign-up/email', { ...anyone, name }, 'name'],
  ),
  ...[
    ...['', 'x', 'a@b', `${LONG}@threefold.test`, `${'x'.repeat(65)}@threefold.test`, NUL],
    ...[`a@${'x.'.repeat(130)}test`, 'a@b@threefold.test', 'ä@threefold.test', {}, ['a@b.test']],
  ].flatMap((email): [string, unknown, string][] => [
    ['/sign-up/email', { ...anyone, email }, 'email'],
    ['/sign-in/email', { email, password: PASSWORD }, 'email'],
  ]),
  ...[
    ...['javascript:alert(1)', 'data:text/html,x', 'http://a.test/x.png', '//a.test/x.png', ''],
    ...['https://', 'https:/a.test', `https://a.test/${LONG}`, 'https://u:p@a.test/', '/a\\b', {}],
    ...['/\\a.test', 'JAVASCRIPT:x', ' javascript:x', 'java\nscript:x', 'x.png', 'vbscript:x'],
  ].flatMap((image): [string, unknown, string][] => [
    ['/sign-up/email', { ...anyone, image }, 'image'],
    ['/update-user', { image }, 'image'],
  ]),
  ['/sign-up/email', { ...anyone, password: 'x'.repeat(129) }, 'password'],
  ['/sign-up/email', { ...anyone, password: { $ne: 1 } }, 'password'],
  ['/sign-up/email', { name: 'ada', email: 'ada@threefold.test' }, 'password'],
  ['/sign-up/email', { ...anyone, role: 'admin' }, 'role'],
  ['/sign-up/email', { ...anyone, emailVerified: true }, 'emailVerified'],
  ['/sign-up/email', { ...anyone, callbackURL: 'https://evil.test' }, 'callbackURL'],
  ['/sign-up/email', { ...anyone, rememberMe: 'no' }, 'rememberMe'],
  ['/sign-in/email', { email: anyone.email, password: LONG }, 'password'],
  ['/sign-in/email', { email: anyone.email, password: ['x'] }, 'password'],
  ['/sign-in/email', [], 'body'],
  ['/sign-in/email', 'text', 'body'],
  ['/sign-in/email', null, 'body'],
  ['/sign-out', { callbackURL: 'https://evil.test' }, 'callbackURL'],
  ['/change-password', { currentPassword: PASSWORD, newPassword: {} }, 'newPassword'],
  ['/change-password', { currentPassword: LONG, newPassword: PASSWORD }, 'currentPassword'],
  ['/verify-password', { password: 1 }, 'password'],
  ['/reset-password', { newPassword: PASSWORD, token: NUL }, 'token'],
  ['/update-user', { name: LONG }, 'name'],
  ['/update-user', { email: 'eve@threefold.test' }, 'email'],
  ['/update-user', { role: 'admin' }, 'role'],
  ['/update-user', {}, 'body'],
  ['/revoke-session', { token: NUL }, 'token'],
  ['/revoke-session', { token: LONG }, 'token'],
  ['/revoke-sessions', { userId: 'x' }, 'userId'],
  ...['ban-user', 'unban-user', 'remove-user', 'impersonate-user', 'revoke-user-sessions'].flatMap(
    (deed): [string, unknown, string][] =>
      [NUL, LONG, '', 1, {}, ['x'], undefined].map((userId) => [
        `/admin/${deed}`,
        { userId },
        'userId',
      ]),
  ),
  ['/admin/ban-user', { userId: 'x', banReason: LONG }, 'banReason'],
  ['/admin/ban-user', { userId: 'x', banReason: NUL }, 'banReason'],
  ...[0, -1, 1.5, 1e12, '60', {}].map((banExpiresIn): [string, unknown, string] => [
    '/admin/ban-user',
    { userId: 'x', banExpiresIn },
    'banExpiresIn',
  ]),
  ...['Admin', 'admin,user', ['admin'], 'root', '', ' admin', LONG, null].map(
    (role): [string, unknown, string] => ['/admin/set-role', { userId: 'x', role }, 'role'],
  ),
  ['/admin/set-user-password', { userId: 'x', newPassword: LONG }, 'newPassword'],
  ['/admin/revoke-user-session', { sessionToken: NUL }, 'sessionToken'],
]

test(`each of ${REFUSED.length} invalid inputs is 422 and names the field`, async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const { headers } = await administrator(app, 'sam')
  for (const [path, body, field] of REFUSED) {
    const answer = await app.ask(path, { body, headers })
    const label = `${path} ${JSON.stringify(body).slice(0, 80)}`
    expect(answer.status, label).toBe(422)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.body, label).toMatchObject({
      type: 'urn:threefold:problem:invalid-body',
      errors: expect.arrayContaining([expect.objectContaining({ field })]),
    })
    expect(JSON.stringify(answer.body).length).toBeLessThan(3_000)
  }
  const text = `select 1 from "user" where email = $1 or image is not null`
  expect((await app.database.pool.query(text, [anyone.email])).rows).toEqual([])
})

test('an invalid query is 422 and names the parameter', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  const { headers } = await administrator(app, 'una')
  const queries: [query: string, field: string][] = [
    ...['0', '101', '-1', 'x', '1e2', '', '1.5', LONG.slice(0, 5_000)].map(
      (limit): [string, string] => [`limit=${limit}`, 'limit'],
    ),
    ['offset=-1', 'offset'],
    ['offset=99999999999999999999', 'offset'],
    ['sortBy=password', 'sortBy'],
    ['sortDirection=up', 'sortDirection'],
    ['searchField=role&searchValue=x', 'searchField'],
    ['searchValue=%00', 'searchValue'],
    [`searchValue=${'x'.repeat(255)}`, 'searchValue'],
    ['filterField=role&filterValue=admin', 'filterField'],
    ['limit=1&limit=2', 'limit'],
  ]
  for (const [query, field] of queries) {
    const answer = await app.ask(`/admin/list-users?${query}`, { headers })
    expect(answer, query.slice(0, 60)).toMatchObject({
      status: 422,
      body: {
        type: 'urn:threefold:problem:invalid-query',
        errors: expect.arrayContaining([expect.objectContaining({ field })]),
      },
    })
  }
  const page = 'limit=20&offset=0&sortBy=createdAt&sortDirection=desc&searchValue=una'
  expect(await app.ask(`/admin/list-users?${page}`, { headers })).toMatchObject({
    status: 200,
    body: { users: [{ name: 'una' }] },
  })
  expect(await app.ask('/sign-out?x=1', { body: {} })).toMatchObject({
    status: 422,
    body: { errors: [{ field: 'x' }] },
  })
})

test('a body is 400 if it is not JSON, and 413 if it is too long', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  const send = (body: string) =>
    app.app.request(`${ORIGIN}/api/auth/sign-in/email`, {
      method: 'POST',
      headers: { origin: ORIGIN, 'content-type': 'application/json' },
      body,
    })
  for (const body of ['{', 'email=a', '{"email":"a@b.test",}', '\0', '[1']) {
    expect((await send(body)).status, body).toBe(400)
  }
  expect((await send(JSON.stringify({ email: 'x'.repeat(1_100_000) }))).status).toBe(413)
  expect((await send('')).status).toBe(422)
})

test('an input that the schema accepts is accepted by Better Auth and PostgreSQL', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const { headers } = await administrator(app, 'tess')
  const queries = [
    ...['name', 'email', 'role', 'banned', 'createdAt', 'updatedAt'].flatMap((sortBy) =>
      ['asc', 'desc'].map((direction) => `sortBy=${sortBy}&sortDirection=${direction}`),
    ),
    ...['contains', 'starts_with', 'ends_with'].map(
      (operator) => `searchField=name&searchOperator=${operator}&searchValue=%25_'"é`,
    ),
    ...['limit=1&offset=1000000', 'limit=100', 'offset=0', 'searchValue=x'],
  ]
  for (const query of queries) {
    const { status } = await app.ask(`/admin/list-users?${query}`, { headers })
    expect(status, query).toBe(200)
  }
  const { body } = await app.ask('/sign-up/email', {
    body: { ...anyone, name: 'x'.repeat(100), email: `${'y'.repeat(64)}@threefold.test` },
  })
  const userId: unknown = Object(body['user']).id
  const ban = { userId, banReason: 'x'.repeat(500), banExpiresIn: 315_360_000 }
  const short = { userId, newPassword: 'x' }
  expect((await app.ask('/admin/ban-user', { body: ban, headers })).status).toBe(200)
  expect(await app.ask('/admin/set-user-password', { body: short, headers })).toMatchObject({
    status: 400,
    body: { code: 'PASSWORD_TOO_SHORT', errors: [{ field: 'newPassword' }] },
  })
  const unknown = { userId: 'nobody.of-this_id' }
  for (const path of ['/admin/unban-user', '/admin/remove-user', '/admin/impersonate-user']) {
    expect((await app.ask(path, { body: unknown, headers })).status, path).toBe(404)
  }
})

test('an accepted input is stored in its canonical form', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  const name = '  Zoë 👩‍🔬 Ng  '
  const body = { ...anyone, name, email: ' Zoe@Threefold.TEST ', image: '/faces/zoe.png' }
  const { status, cookie } = await app.ask('/sign-up/email', { body })
  expect(status).toBe(200)
  const headers = { cookie }
  const image = 'https://images.threefold.test/zoe.png?size=64'
  expect(await app.ask('/update-user', { body: { image }, headers })).toMatchObject({
    status: 200,
  })
  const { body: found } = await app.ask('/get-session?disableCookieCache=true', { headers })
  expect(found).toMatchObject({
    user: { name: 'Zoë 👩‍🔬 Ng', email: 'zoe@threefold.test', image },
  })
  expect(await app.ask('/update-user', { body: { image: null }, headers })).toMatchObject({
    status: 200,
  })
})

test('a request has the route of its endpoint, and every other path below /api/auth has one route', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const routeOf = async (path: string, method: string) => {
    const context = readRequestContext({ headers: {} })
    await inRequest(context, () =>
      app.ask(path, { method, ...(method === 'POST' && { body: {} }) }),
    )
    return context.route
  }
  for (const endpoint of availableEndpoints()) {
    const [method = '', path = ''] = endpoint.split(' ')
    expect(await routeOf(path, method), endpoint).toBe(`/api/auth${path}`)
  }
  for (const path of ['/hunter2', '/sign-in/email/hunter2', '/callback/7', '/OK', '/ok/']) {
    expect(await routeOf(path, 'GET'), path).toBe('/api/auth/*')
  }
})
