import { connectDatabase } from '@repo/database'
import { awakeMs, expect, test, until, vi } from '@repo/testing'
import {
  type Answer,
  count,
  openApp,
  ORIGIN,
  PASSWORD,
  person,
  type TestApp,
} from '../auth.fixture.ts'

const ROUNDS = Number(process.env.RACE_ROUNDS ?? 2)

/** Every kind of request that needs the database, sent by a signed-in user. */
const requests = {
  'sign-up': (app: TestApp) => app.ask('/sign-up/email', { body: person('new') }),
  'sign-in': (app: TestApp) =>
    app.ask('/sign-in/email', { body: { email: person('ada').email, password: PASSWORD } }),
  'sign-in again': (app: TestApp, cookie: string) =>
    app.ask('/sign-in/email', {
      body: { email: person('ada').email, password: PASSWORD },
      headers: { cookie },
    }),
  'sign-out': (app: TestApp, cookie: string) =>
    app.ask('/sign-out', { body: {}, headers: { cookie } }),
  'get-session': (app: TestApp, cookie: string) => app.ask('/get-session', { headers: { cookie } }),
  'list-sessions': (app: TestApp, cookie: string) =>
    app.ask('/list-sessions', { headers: { cookie } }),
  'admin/list-users': (app: TestApp, cookie: string) =>
    app.ask('/admin/list-users', { headers: { cookie } }),
}

async function signedIn(url: string) {
  const app = await openApp(url)
  const { cookie } = await app.ask('/sign-up/email', { body: person('ada') })
  // One idle connection for each request: an idle connection hangs in another way than a new one.
  await Promise.all(Array.from({ length: 4 }, () => app.database.ping()))
  return { app, cookie }
}

function expectUnavailable(name: string, { status, headers, body, cookie, ms }: Answer) {
  expect({ name, status, body }).toMatchObject({
    name,
    status: 503,
    body: { type: 'urn:threefold:problem:unavailable' },
  })
  expect(headers.get('retry-after')).toBe('1')
  // A cookie that is taken away or given would outlive the outage.
  expect(cookie).toBe('')
  expect(ms, `${name} in ms`).toBeLessThan(2_000)
}

async function expectHealed(app: TestApp, cookie: string) {
  expect(await count(app.database, 'user')).toBe(1)
  expect(await count(app.database, 'session')).toBe(1)
  const [session, signIn, signUp] = await Promise.all([
    requests['get-session'](app, cookie),
    requests['sign-in'](app),
    requests['sign-up'](app),
  ])
  expect(session.body).toMatchObject({ user: { name: 'ada' } })
  expect(signIn.status).toBe(200)
  expect(signUp.status).toBe(200)
  expect(app.lines.join('')).not.toContain('params')
}

test('every request that needs PostgreSQL answers 503 within 2 s while it hangs, writes nothing partially, and works again later', async ({
  ownPostgres,
}) => {
  const { app, cookie } = await signedIn(ownPostgres.url)
  await ownPostgres.pause()
  for (let round = 0; round < 2; round += 1) {
    const answers = await Promise.all(
      Object.entries(requests).map(async ([name, request]) => ({
        name,
        answer: await request(app, cookie),
      })),
    )
    for (const { name, answer } of answers) expectUnavailable(name, answer)
  }
  ownPostgres.resume()
  await expectHealed(app, cookie)
  await app[Symbol.asyncDispose]()
})

test(`a sign-up during which PostgreSQL hangs answers within 2 s, and stores the user if and only if it answers 200, ${ROUNDS} times`, async ({
  ownPostgres,
}) => {
  const { app } = await signedIn(ownPostgres.url)
  const observer = connectDatabase({ url: ownPostgres.url, name: 'test', poolSize: 1 })
  const inTransaction = async () => {
    const { rows } = await observer.pool.query(
      `select 1 from pg_stat_activity where state = 'idle in transaction'`,
    )
    return rows.length > 0
  }
  // From then on it waits for PostgreSQL; how long hashing takes is the machine's affair.
  let hashedAt = 0
  const { password } = await app.auth.$context
  const hash = password.hash
  vi.spyOn(password, 'hash').mockImplementation(async (text) => {
    const hashed = await hash(text)
    hashedAt = awakeMs()
    return hashed
  })
  for (let round = 0; round < ROUNDS; round += 1) {
    const name = `half-${round}`
    const answer = app.ask('/sign-up/email', { body: person(name) })
    // The request has read the e-mail address, and hashes the password.
    await until(inTransaction, { everyMs: 1 })
    await ownPostgres.pause()
    const hungAt = awakeMs()
    const { status } = await answer
    expect(awakeMs() - Math.max(hungAt, hashedAt)).toBeLessThan(2_000)
    ownPostgres.resume()
    expect([200, 503]).toContain(status)
    const users = `select count(u.id)::int as users, count(a.id)::int as accounts
      from "user" u left join account a on a.user_id = u.id where u.name = $1`
    const there = status === 200 ? 1 : 0
    await until(async () => !(await inTransaction()))
    const { rows } = await observer.pool.query(users, [name])
    expect(rows).toEqual([{ users: there, accounts: there }])
    if (!there) await app.ask('/sign-up/email', { body: person(name) })
  }
  expect(await count(app.database, 'user')).toBe(1 + ROUNDS)
  await observer.close()
  await app[Symbol.asyncDispose]()
})

test('every request that needs PostgreSQL answers 503 at once while it is stopped, and works again later', async ({
  ownPostgres,
}) => {
  const { app, cookie } = await signedIn(ownPostgres.url)
  await ownPostgres.kill()
  for (const [name, request] of Object.entries(requests)) {
    expectUnavailable(name, await request(app, cookie))
  }

  // Better Auth alone answers that the user is signed out.
  const request = new Request(`${ORIGIN}/api/auth/list-sessions`, { headers: { cookie } })
  expect((await app.auth.handler(request)).status).toBe(401)
  const signOut = new Request(`${ORIGIN}/api/auth/sign-out`, {
    method: 'POST',
    headers: { cookie, origin: ORIGIN },
  })
  // It would answer 200; the search for an impersonated session fails before.
  await expect(app.auth.handler(signOut)).rejects.toThrow('Failed query')

  await ownPostgres.restart()
  await expectHealed(app, cookie)
  await app[Symbol.asyncDispose]()
})
