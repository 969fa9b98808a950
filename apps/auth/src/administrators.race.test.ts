import { contend, expect, test } from '@repo/testing'
import { openApp, person, type TestApp } from './auth.fixture.ts'

const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 5)

interface Administrator {
  id: string
  cookie: string
}

let made = 0

/** Administrators who are the only ones. */
async function onlyAdministrators(app: TestApp, n: number): Promise<Administrator[]> {
  const { pool } = app.database
  const people: Administrator[] = []
  for (let i = 0; i < n; i += 1) {
    const name = `administrator-${(made += 1)}`
    const { cookie, body } = await app.ask('/sign-up/email', { body: person(name) })
    people.push({ id: Object(body['user']).id, cookie })
  }
  const ids = people.map(({ id }) => id)
  await pool.query(`update "user" set role = 'admin' where id = any($1)`, [ids])
  await pool.query(`update "user" set role = 'user' where id <> all($1)`, [ids])
  return people
}

async function administratorsOf({ database }: TestApp): Promise<string[]> {
  const { rows } = await database.pool.query<{ id: string }>(
    `select id from "user" where role = 'admin' and not ban_in_force(banned, ban_expires)`,
  )
  return rows.map(({ id }) => id)
}

/** How an administrator loses the role, by the path and the rest of the body. */
const DEEDS: [path: string, rest: object][] = [
  ['/admin/set-role', { role: 'user' }],
  ['/admin/ban-user', {}],
  ['/admin/ban-user', { banExpiresIn: 3_600 }],
  ['/admin/remove-user', {}],
]

const does = (
  app: TestApp,
  [path, rest]: (typeof DEEDS)[number],
  actor: Administrator,
  target: Administrator,
) => app.ask(path, { body: { userId: target.id, ...rest }, headers: { cookie: actor.cookie } })

const refused = {
  status: 409,
  body: { type: 'urn:threefold:problem:last-administrator', status: 409 },
}

/** Two transactions each demote one of two administrators, in turn, before either commits. */
async function interleave(app: TestApp): Promise<number> {
  const [a, b] = await onlyAdministrators(app, 2)
  const { pool } = app.database
  const [one, two] = [await pool.connect(), await pool.connect()]
  const demote = `update "user" set role = 'user' where id = $1`
  try {
    await one.query('begin')
    await two.query('begin')
    await one.query(demote, [b!.id])
    const waiting = contend(1, () => two.query(demote, [a!.id]))
    await one.query('commit')
    const [second] = await waiting
    await two.query('commit')
    if (second?.status === 'rejected') expect(second.reason).toMatchObject({ code: 'TF005' })
    return (await administratorsOf(app)).length
  } finally {
    one.release()
    two.release()
  }
}

test('the last administrator cannot demote, ban or remove themselves', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  const [only] = await onlyAdministrators(app, 1)
  expect(await does(app, ['/admin/set-role', { role: 'user' }], only!, only!)).toMatchObject(
    refused,
  )
  for (const deed of DEEDS.slice(1)) {
    expect((await does(app, deed, only!, only!)).status).toBeGreaterThanOrEqual(400)
  }
  expect(await administratorsOf(app)).toEqual([only!.id])
  const { status } = await app.ask('/admin/list-users', { headers: { cookie: only!.cookie } })
  expect(status).toBe(200)
})

test.for(DEEDS)(
  `one administrator is left when two act on each other on two instances at once, ${ROUNDS} times: %s`,
  async (deed, { databaseUrl }) => {
    await using one = await openApp(databaseUrl)
    await using two = await openApp(databaseUrl)
    for (let round = 0; round < ROUNDS; round += 1) {
      const [a, b] = await onlyAdministrators(one, 2)
      const [first, second] = await contend(2, (i) =>
        i === 0 ? does(one, deed, a!, b!) : does(two, deed, b!, a!),
      )
      const answers = [first, second].map((each) =>
        each?.status === 'fulfilled' ? each.value.status : 0,
      )
      const left = await administratorsOf(one)
      expect(left, JSON.stringify(answers)).toHaveLength(1)
      // The other answer is 409, or 401 or 403 of a caller who lost the role first.
      expect(answers.filter((status) => status === 200)).toHaveLength(1)
      const survivor = [a!, b!].find(({ id }) => left.includes(id))!
      const { rows } = await one.database.pool.query(
        'select 1 from account where user_id = $1 and password is not null',
        [survivor.id],
      )
      expect(rows).toHaveLength(1)
    }
  },
)

test('the mutant without the lock is caught, because no administrator is left', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  expect(await interleave(app)).toBe(1)
  const { pool } = app.database
  const { rows } = await pool.query<{ definition: string }>(
    `select pg_get_functiondef('user_last_administrator'::regproc) as definition`,
  )
  const definition = rows[0]?.definition ?? ''
  const lock = /PERFORM pg_advisory_xact_lock\(.*\);/
  expect(definition).toMatch(lock)
  const mutant = definition.replace(lock, '')
  try {
    await pool.query(mutant)
    let fewest = 1
    for (let i = 0; i < 20 && fewest > 0; i += 1) {
      fewest = Math.min(fewest, await interleave(app))
      await pool.query(`update "user" set role = 'admin'`)
    }
    expect(fewest).toBe(0)
  } finally {
    await pool.query(definition)
  }
})

test('any statement that removes the last administrator is refused, also one for all users', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  await onlyAdministrators(app, 2)
  const { pool } = app.database
  for (const text of [
    `update "user" set role = 'user'`,
    'update "user" set banned = true',
    `update "user" set banned = true, ban_expires = now() + interval '1 s'`,
    'delete from "user"',
  ]) {
    await expect(pool.query(text), text).rejects.toMatchObject({ code: 'TF005' })
  }
  // A ban that has ended has no effect.
  await pool.query(`update "user" set banned = true, ban_expires = now() - interval '1 s'`)
  expect(await administratorsOf(app)).toHaveLength(2)
})

test('the role in every row is user or admin, also if plain SQL writes it', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  await onlyAdministrators(app, 2)
  for (const role of ['Admin', 'admin,user', ' admin', '', 'root', 'admin ']) {
    const written = app.database.pool.query('update "user" set role = $1', [role])
    await expect(written, role).rejects.toMatchObject({ code: '23514' })
  }
})
