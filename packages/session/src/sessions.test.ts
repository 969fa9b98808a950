import { connectDatabase, type DatabaseConnection, migrateDatabase } from '@repo/database'
import { awakeMs, afterAll, expect, test, until, vi } from '@repo/testing'
import { signSessionValue } from './cookie/session-cookie.ts'
import { createSessions } from './sessions.ts'

const secret = 'a secret of at least thirty-two characters'
const open: DatabaseConnection[] = []
afterAll(async () => void (await Promise.all(open.map((database) => database.close()))))

function cookieOf(token: string, signedWith = secret) {
  return `theme=dark; better-auth.session_token=${signSessionValue(token, signedWith)}`
}

/** Sessions on a database with the schema and one user, `ada`, who has one session, `ada-token`. */
async function fixture(url: string) {
  await migrateDatabase({ url })
  // One connection, so that its prepared statements can be listed.
  const database = connectDatabase({ url, name: 'test', poolSize: 1 })
  open.push(database)
  const { pool } = database
  await pool.query('truncate "user" cascade')
  await pool.query(
    `insert into "user" (id, name, email, role)
     values ('ada', 'Ada', 'a@x', 'admin'), ('root', 'Root', 'r@x', 'admin')`,
  )
  await pool.query(
    `insert into session (id, token, user_id, expires_at)
     values ('ada-session', 'ada-token', 'ada', now() + interval '1 hour')`,
  )
  // Every query takes its connection from the pool.
  const connect = vi.spyOn(pool, 'connect')
  const sessions = createSessions({ database, secret })
  /** The number of queries of the call. */
  async function queriesOf(call: () => Promise<unknown>): Promise<number> {
    connect.mockClear()
    await call()
    return connect.mock.calls.length
  }

  return { database, pool, sessions, queriesOf }
}

test('a live session is valid, and its check returns the caller', async ({ databaseUrl }) => {
  const { sessions } = await fixture(databaseUrl)
  const check = await sessions.validate(cookieOf('ada-token'))
  expect(check).toEqual({
    outcome: 'valid',
    session: { id: 'ada-session', createdAt: expect.any(Date), expiresAt: expect.any(Date) },
    user: { id: 'ada', name: 'Ada', email: 'a@x', role: 'admin' },
    tier: 'database',
  })
})

test('a session is valid under the __Secure- name, and under no other name when the site is secure', async ({
  databaseUrl,
}) => {
  const { sessions, database } = await fixture(databaseUrl)
  const cookie = `__Secure-better-auth.session_token=${signSessionValue('ada-token', secret)}`
  expect(await sessions.validate(cookie)).toMatchObject({ outcome: 'valid' })
  const secureOnly = createSessions({ database, secret, secure: true })
  expect(await secureOnly.validate(cookie)).toMatchObject({ outcome: 'valid' })
  expect(await secureOnly.validate(cookieOf('ada-token'))).toEqual({ outcome: 'none' })
})

test('an unknown session has the outcome none', async ({ databaseUrl }) => {
  const { sessions } = await fixture(databaseUrl)
  expect(await sessions.validate(cookieOf('no-such-token'))).toEqual({ outcome: 'none' })
})

test('S9: a session expires at its exact time by the clock of the database alone', async ({
  databaseUrl,
}) => {
  const { sessions, pool } = await fixture(databaseUrl)
  await pool.query('update session set expires_at = now()')
  // An instance whose clock is a year behind or ahead.
  for (const clock of ['2020-01-01', '2099-01-01']) {
    vi.useFakeTimers({ now: new Date(clock), toFake: ['Date'] })
    expect(await sessions.validate(cookieOf('ada-token'))).toEqual({ outcome: 'expired' })
    vi.useRealTimers()
  }
})

test('a session that was signed out is revoked from then on', async ({ databaseUrl }) => {
  const { sessions, pool } = await fixture(databaseUrl)
  await sessions.validate(cookieOf('ada-token'))
  await pool.query('delete from session')
  expect(await sessions.validate(cookieOf('ada-token'))).toEqual({ outcome: 'revoked' })
})

test('a session of a banned user is revoked, also after the ban is lifted', async ({
  databaseUrl,
}) => {
  const { sessions, pool } = await fixture(databaseUrl)
  await pool.query(`update "user" set banned = true where id = 'ada'`)
  expect(await sessions.validate(cookieOf('ada-token'))).toEqual({ outcome: 'revoked' })
  await pool.query('update "user" set banned = false')
  expect(await sessions.validate(cookieOf('ada-token'))).toEqual({ outcome: 'revoked' })
})

test('a session of a deleted user is revoked', async ({ databaseUrl }) => {
  const { sessions, pool } = await fixture(databaseUrl)
  await pool.query(`delete from "user" where id = 'ada'`)
  expect(await sessions.validate(cookieOf('ada-token'))).toEqual({ outcome: 'revoked' })
})

test('a session has the current role of its user', async ({ databaseUrl }) => {
  const { sessions, pool } = await fixture(databaseUrl)
  await pool.query(`update "user" set role = 'user' where id = 'ada'`)
  const check = await sessions.validate(cookieOf('ada-token'))
  expect(check).toMatchObject({ outcome: 'valid', user: { role: 'user' } })
})

test('a check is exactly one query, prepared once per connection, by the unique index', async ({
  databaseUrl,
}) => {
  const { sessions, pool, queriesOf } = await fixture(databaseUrl)
  for (let i = 0; i < 10; i += 1) {
    expect(await queriesOf(() => sessions.validate(cookieOf('ada-token')))).toBe(1)
  }
  const { rows } = await pool.query(
    `select name, (generic_plans + custom_plans)::int as runs from pg_prepared_statements`,
  )
  expect(rows).toEqual([{ name: 'session-by-token', runs: 10 }])
  await pool.query('set enable_seqscan = off')
  const plan = await pool.query(`explain execute "session-by-token"('ada-token')`)
  expect(JSON.stringify(plan.rows)).toContain('session_token_unique')
})

test('S8: a check of a cookie that this site did not sign makes no query', async ({
  databaseUrl,
}) => {
  const { sessions, queriesOf } = await fixture(databaseUrl)
  const good = cookieOf('ada-token')
  const bad = [
    undefined,
    '',
    'theme=dark',
    good.slice(0, -1),
    `${good}A`,
    `${good}; ${good}`,
    `${good}%`,
    good.replace('ada-token', 'adb-token'),
    cookieOf('ada-token', 'another secret of thirty-two chars!'),
    cookieOf('x'.repeat(4_000)),
  ]
  const queries = await queriesOf(async () => {
    for (const cookie of bad) expect(await sessions.validate(cookie)).toEqual({ outcome: 'none' })
  })
  expect(queries).toBe(0)
})

test('a check that fails for another reason than an outage throws the error', async ({
  databaseUrl,
}) => {
  const { sessions, pool } = await fixture(databaseUrl)
  await pool.query('alter table session rename to hidden')
  await expect(sessions.validate(cookieOf('ada-token'))).rejects.toMatchObject({ code: '42P01' })
  await pool.query('alter table hidden rename to session')
})

test('a PostgreSQL that hangs makes checks unavailable within 2 s, never none, and an unsigned cookie is none at once', async ({
  ownPostgres,
}) => {
  const { sessions } = await fixture(ownPostgres.url)
  await sessions.validate(cookieOf('ada-token'))
  await ownPostgres.pause()
  const startedMs = awakeMs()
  const checks = Array.from({ length: 30 }, async () => {
    const { outcome } = await sessions.validate(cookieOf('ada-token'))
    return { outcome, inTime: awakeMs() - startedMs < 2_000 }
  })
  expect(await sessions.validate(cookieOf('ada-token', `${secret}!`))).toEqual({ outcome: 'none' })
  expect(awakeMs() - startedMs).toBeLessThan(300)
  const expected = { outcome: 'unavailable', inTime: true }
  expect(await Promise.all(checks)).toEqual(Array.from({ length: 30 }, () => expected))
  ownPostgres.resume()
  await until(async () => (await sessions.validate(cookieOf('ada-token'))).outcome === 'valid')
})

test('a PostgreSQL that is killed makes checks unavailable, and valid again after its restart', async ({
  ownPostgres,
}) => {
  const { sessions } = await fixture(ownPostgres.url)
  await ownPostgres.kill()
  const cut = await sessions.validate(cookieOf('ada-token'))
  expect(cut).toMatchObject({ outcome: 'unavailable', cause: expect.any(Error) })
  await ownPostgres.restart()
  expect(await sessions.validate(cookieOf('ada-token'))).toMatchObject({ outcome: 'valid' })
})
