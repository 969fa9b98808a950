import { randomUUID } from 'node:crypto'
import type { DatabaseConnection } from '@repo/database'
import { afterEach, expect, replaceOnce, test, vi } from '@repo/testing'
import { count, openApp, PASSWORD, person, type TestApp } from '../auth.fixture.ts'
import { holdHashes, holdVerifications } from '../gate.fixture.ts'

const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 3)
const NEW_PASSWORD = 'four-of-everything'
const WRONG_PASSWORD = {
  type: 'about:blank',
  title: 'Unauthorized',
  status: 401,
  detail: 'Invalid email or password',
  code: 'INVALID_EMAIL_OR_PASSWORD',
  message: 'Invalid email or password',
}

interface Target {
  app: TestApp
  id: string
  email: string
  /** The cookie of the target's session. */
  cookie: string
  /** The cookie of an administrator. */
  admin: string
}

async function open(databaseUrl: string): Promise<Target> {
  const app = await openApp(databaseUrl)
  const [name, root] = [randomUUID(), randomUUID()]
  const { cookie: admin } = await app.ask('/sign-up/email', { body: person(root) })
  await app.database.pool.query(`update "user" set role = 'admin' where name = $1`, [root])
  const { cookie, body } = await app.ask('/sign-up/email', { body: person(name) })
  const { id } = Object(body['user'])
  return { app, id, email: person(name).email, cookie, admin }
}

const signIn = ({ app, email }: Target, password = PASSWORD) =>
  app.ask('/sign-in/email', { body: { email, password } })

const post = ({ app }: Target, path: string, body: object, cookie: string) =>
  app.ask(path, { body, headers: { cookie } })

/** A statement whose only parameter is the target's id. */
const sql =
  (...statements: string[]) =>
  async ({ app, id }: Target) => {
    for (const statement of statements) await app.database.pool.query(statement, [id])
  }

async function ok(answer: ReturnType<typeof post>) {
  expect((await answer).status).toBe(200)
}

const passwordOf = async ({ app, id }: Target) => {
  const { rows } = await app.database.pool.query<{ password: string }>(
    'select password from account where user_id = $1',
    [id],
  )
  return rows[0]?.password
}

/** Deletes the user, and makes the same one again. */
async function recreate({ app, id }: Target) {
  const { rows } = await app.database.pool.query(
    `select u.name, u.email, a.password from "user" u join account a on a.user_id = u.id where u.id = $1`,
    [id],
  )
  const { name, email, password } = rows[0]
  await app.database.pool.query('delete from "user" where id = $1', [id])
  await app.database.pool.query('insert into "user" (id, name, email) values ($1, $2, $3)', [
    id,
    name,
    email,
  ])
  await app.database.pool.query(
    `insert into account (id, account_id, provider_id, user_id, password)
     values ($2, $1, 'credential', $1, $3)`,
    [id, randomUUID(), password],
  )
}

/** Changes that a sign-in in flight must not survive. */
const CHANGES: [change: string, make: (target: Target) => Promise<void>][] = [
  [
    'the user changes the password',
    (target) => {
      const body = { currentPassword: PASSWORD, newPassword: NEW_PASSWORD }
      return ok(post(target, '/change-password', body, target.cookie))
    },
  ],
  [
    'an administrator sets the password',
    (target) => {
      const body = { userId: target.id, newPassword: NEW_PASSWORD }
      return ok(post(target, '/admin/set-user-password', body, target.admin))
    },
  ],
  ['any program sets the password', sql(`update account set password = 'x' where user_id = $1`)],
  ['the password is removed', sql(`update account set password = null where user_id = $1`)],
  ['the account is unlinked', sql('delete from account where user_id = $1')],
  ['the e-mail changes', sql(`update "user" set email = id || '@new.test' where id = $1`)],
  ['the role changes', sql(`update "user" set role = 'admin' where id = $1`)],
  [
    'a ban begins and is lifted',
    async (target) => {
      await ok(post(target, '/admin/ban-user', { userId: target.id }, target.admin))
      await ok(post(target, '/admin/unban-user', { userId: target.id }, target.admin))
    },
  ],
  [
    'a ban whose earlier one had expired begins and is lifted',
    sql(
      `update "user" set banned = true, ban_expires = now() - interval '1 s' where id = $1`,
      `update "user" set ban_expires = null where id = $1`,
      `update "user" set banned = false where id = $1`,
    ),
  ],
  [
    'the user is removed',
    (target) => ok(post(target, '/admin/remove-user', { userId: target.id }, target.admin)),
  ],
  ['the user is deleted and made again', recreate],
]

/** The comparison is taken out of the database; returns how to put it back. */
async function withoutComparison({ pool }: DatabaseConnection) {
  const { rows } = await pool.query<{ definition: string }>(
    `select pg_get_functiondef('credential_admit'::regproc) as definition`,
  )
  const definition = rows[0]?.definition ?? ''
  await pool.query(replaceOnce(definition, 'IF FOUND THEN', 'IF false THEN'))
  return () => pool.query(definition)
}

const sessionsOf = async ({ app, id }: Target) =>
  (await app.database.pool.query('select 1 from session where user_id = $1', [id])).rowCount

afterEach(() => {
  vi.restoreAllMocks()
})

test.for(CHANGES)(
  'a sign-in that verified the password before %s is refused like a wrong password',
  async ([, change], { databaseUrl }) => {
    const target = await open(databaseUrl)
    await using app = target.app
    const gate = await holdVerifications(app)
    const signingIn = signIn(target)
    await gate.untilHeld(1)
    gate.notLater()
    await change(target)
    const before = await sessionsOf(target)
    gate.release()
    const { status, body, cookie, headers } = await signingIn
    expect({ status, body, cookie }).toEqual({ status: 401, body: WRONG_PASSWORD, cookie: '' })
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(await sessionsOf(target)).toBe(before)
  },
)

test('the mutant without the comparison is caught, because it admits the sign-in', async ({
  databaseUrl,
}) => {
  const target = await open(databaseUrl)
  await using app = target.app
  const mend = await withoutComparison(app.database)
  try {
    const gate = await holdVerifications(app)
    const signingIn = signIn(target)
    await gate.untilHeld(1)
    await sql(`update account set password = 'x' where user_id = $1`)(target)
    gate.release()
    expect((await signingIn).status).toBe(200)
    expect(await sessionsOf(target)).toBe(1)
  } finally {
    await mend()
  }
})

test(`a new password leaves no session of six simultaneous sign-ins, ${ROUNDS} times`, async ({
  databaseUrl,
}) => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const target = await open(databaseUrl)
    await using app = target.app
    const gate = await holdVerifications(app)
    const signIns = Array.from({ length: 6 }, () => signIn(target))
    await gate.untilHeld(6)
    gate.release()
    const body = { userId: target.id, newPassword: NEW_PASSWORD }
    const [set, ...answers] = await Promise.all([
      post(target, '/admin/set-user-password', body, target.admin),
      ...signIns,
    ])
    expect(set.status).toBe(200)
    for (const { status } of answers) expect([200, 401]).toContain(status)
    expect(await sessionsOf(target)).toBe(0)
    expect((await signIn(target, NEW_PASSWORD)).status).toBe(200)
  }
})

test('a new password is not written by a request that verified the old one before a reset', async ({
  databaseUrl,
}) => {
  const target = await open(databaseUrl)
  await using app = target.app
  const gate = await holdVerifications(app)
  const body = { currentPassword: PASSWORD, newPassword: 'an-attackers-own' }
  const changing = post(target, '/change-password', body, target.cookie)
  await gate.untilHeld(1)
  const set = { userId: target.id, newPassword: NEW_PASSWORD }
  await ok(post(target, '/admin/set-user-password', set, target.admin))
  const password = await passwordOf(target)
  gate.release()
  const refused = await changing
  expect(refused).toMatchObject({
    status: 401,
    body: { type: 'urn:threefold:problem:signed-out' },
    cookie: '',
  })
  expect(await passwordOf(target)).toBe(password)
  expect(await sessionsOf(target)).toBe(0)
})

test('a new password is not written by an administrator who was demoted while it was hashed', async ({
  databaseUrl,
}) => {
  const target = await open(databaseUrl)
  await using app = target.app
  const password = await passwordOf(target)
  const gate = await holdHashes(app)
  const body = { userId: target.id, newPassword: NEW_PASSWORD }
  const setting = post(target, '/admin/set-user-password', body, target.admin)
  await gate.untilHeld(1)
  const demote = `update "user" set role = 'user' where role = 'admin' and name <> 'another'`
  await app.database.pool.query(
    `insert into "user" (id, name, email, role) values ('another', 'another', 'a@x', 'admin')`,
  )
  await app.database.pool.query(demote)
  gate.release()
  expect((await setting).status).toBe(401)
  expect(await passwordOf(target)).toBe(password)
})

test('a new password is not written by a reset whose user changed while it was hashed', async ({
  databaseUrl,
}) => {
  const target = await open(databaseUrl)
  await using app = target.app
  const password = await passwordOf(target)
  await app.database.pool.query(
    `insert into verification (id, identifier, value, expires_at)
     values ($1, 'reset-password:' || $1, $2, now() + interval '1 h')`,
    [randomUUID().slice(0, 24), target.id],
  )
  const { rows } = await app.database.pool.query<{ id: string }>(
    'select id from verification where value = $1',
    [target.id],
  )
  const gate = await holdHashes(app)
  const body = { token: rows[0]?.id, newPassword: NEW_PASSWORD }
  const resetting = post(target, '/reset-password', body, '')
  await gate.untilHeld(1)
  await sql(`update "user" set email = id || '@new.test' where id = $1`)(target)
  gate.release()
  expect((await resetting).status).toBe(401)
  expect(await passwordOf(target)).toBe(password)
})

test('only one of two changes that verified the same password is written', async ({
  databaseUrl,
}) => {
  const target = await open(databaseUrl)
  await using app = target.app
  const second = await signIn(target)
  const gate = await holdVerifications(app)
  const changes = [target.cookie, second.cookie].map((cookie, i) => {
    const body = { currentPassword: PASSWORD, newPassword: `number-${i}-of-two` }
    return post(target, '/change-password', body, cookie)
  })
  await gate.untilHeld(2)
  gate.release()
  const answers = await Promise.all(changes)
  const won = answers.findIndex(({ status }) => status === 200)
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401])
  expect(await sessionsOf(target)).toBe(1)
  gate.notLater()
  expect((await signIn(target, `number-${won}-of-two`)).status).toBe(200)
})

test('no response contains the credential versions that the database compares', async ({
  databaseUrl,
}) => {
  const target = await open(databaseUrl)
  await using app = target.app
  const before = await count(app.database, 'session')
  const headers = { cookie: target.admin }
  const answers = [
    await signIn(target),
    await app.ask('/get-session', { headers }),
    await app.ask('/list-sessions', { headers }),
    await app.ask('/admin/list-users?limit=5', { headers }),
  ]
  for (const { status, body } of answers) {
    expect(status).toBe(200)
    expect(JSON.stringify(body)).not.toMatch(/credentialVersion|sourceSession/)
  }
  expect(await count(app.database, 'session')).toBe(before + 1)
})
