import { randomUUID } from 'node:crypto'
import type { DatabaseConnection } from '@repo/database'
import { contend, expect, until } from '@repo/testing'
import { sessionRefusal } from './index.ts'
import { test } from './join.fixture.ts'
import { parseRecord } from './lookup/session-record.ts'
import { mutate } from './mutants.fixture.ts'
import { cookieOf, makeUser, signIn } from './open.fixture.ts'

const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 20)

interface Impersonation {
  adminId: string
  /** The administrator's own session. */
  sourceId: string
  userId: string
}

async function prepare(database: DatabaseConnection): Promise<Impersonation> {
  const adminId = await makeUser(database, 'admin')
  // The last administrator cannot be demoted.
  await makeUser(database, 'admin')
  await database.pool.query(
    `insert into account (id, account_id, provider_id, user_id, password)
     values ($1, $1, 'credential', $1, 'old')`,
    [adminId],
  )
  const { id: sourceId } = await signIn(database, adminId)
  return { adminId, sourceId, userId: await makeUser(database) }
}

/** As Better Auth makes it. `sourceId` null: as the release without a source does. */
async function impersonate(
  { pool }: DatabaseConnection,
  { adminId, sourceId, userId }: { [K in keyof Impersonation]: Impersonation[K] | null },
) {
  const [id, token] = [randomUUID(), randomUUID().replaceAll('-', '')]
  await pool.query(
    `insert into session (id, token, user_id, impersonated_by, source_session_id, expires_at)
     values ($1, $2, $3, $4, $5, now() + interval '1 h')`,
    [id, token, userId, adminId, sourceId],
  )
  return { id, cookie: cookieOf(token) }
}

const bySource = 'delete from session where id = $1'
/** The ends of an impersonation: a statement and its parameter. */
const ENDS: [how: string, statement: string, parameter: keyof Impersonation][] = [
  ['the administrator signs out', bySource, 'sourceId'],
  ['the administrator signs out everywhere', 'delete from session where user_id = $1', 'adminId'],
  ['the administrator is banned', 'update "user" set banned = true where id = $1', 'adminId'],
  ['the administrator is demoted', `update "user" set role = 'user' where id = $1`, 'adminId'],
  ['the administrator is removed', 'delete from "user" where id = $1', 'adminId'],
  [
    'the administrator has a new password',
    `update account set password = 'new' where user_id = $1`,
    'adminId',
  ],
  ['the user signs out everywhere', 'delete from session where user_id = $1', 'userId'],
  ['the user becomes an administrator', `update "user" set role = 'admin' where id = $1`, 'userId'],
]

for (const source of ['with its source', 'of a release without a source'] as const) {
  test.for(ENDS)(
    `an impersonation ${source} is refused by every instance once %s`,
    async ([, statement, parameter], { stores, join }) => {
      const [a, b] = [await join(stores, 'a'), await join(stores, 'b')]
      const made = await prepare(a.database)
      const sourceId = source === 'with its source' ? made.sourceId : null
      const { cookie } = await impersonate(a.database, { ...made, sourceId })
      for (const { sessions } of [a, b]) {
        expect(await sessions.validate(cookie)).toMatchObject({
          outcome: 'valid',
          user: { id: made.userId },
          actor: { id: made.adminId, name: 'Ada' },
        })
      }
      await a.database.pool.query(statement, [made[parameter]])
      // A machine that is busy may leave Redis without a turn.
      await until(async () => (await a.sessions.settle({ confirm: 'all' })).outcome === 'confirmed')
      for (const { sessions } of [a, b]) {
        expect(await sessions.validate(cookie)).toEqual({ outcome: 'revoked' })
      }
    },
  )
}

test('an impersonation is shortened with its source, never outlives it, and is never prolonged', async ({
  stores,
  join,
}) => {
  const { database, sessions } = await join(stores, 'a')
  const made = await prepare(database)
  const short = `update session set expires_at = now() + interval '10 min' where id = $1`
  const expiry = async (id: string) => {
    const text =
      'select extract(epoch from expires_at - now())::int as s from session where id = $1'
    return (await database.pool.query<{ s: number }>(text, [id])).rows[0]?.s
  }
  const before = await impersonate(database, made)
  await database.pool.query(short, [made.sourceId])
  const after = await impersonate(database, made)
  for (const { id } of [before, after]) {
    await database.pool.query(
      `update session set expires_at = now() + interval '7 d' where id = $1`,
      [id],
    )
    expect(await expiry(id)).toBeLessThanOrEqual(600)
  }
  await database.pool.query('update session set expires_at = now() where id = $1', [made.sourceId])
  await sessions.settle({ confirm: 'all' })
  expect(await sessions.validate(before.cookie)).toEqual({ outcome: 'expired' })
})

test('an impersonation begins only for an administrator who is signed in', async ({
  stores,
  join,
}) => {
  const { database } = await join(stores, 'a')
  const made = await prepare(database)
  const other = await prepare(database)
  const ofUser = await signIn(database, made.userId)
  const nobody = await makeUser(database, 'admin')
  const { id: derived } = await impersonate(database, made)
  const refused = [
    { ...made, sourceId: other.sourceId },
    { ...made, sourceId: randomUUID() },
    { ...made, sourceId: derived },
    { ...made, adminId: made.userId, sourceId: ofUser.id },
    { ...made, adminId: nobody, sourceId: null },
  ]
  for (const each of refused) {
    const error = await impersonate(database, each).catch((thrown: unknown) => thrown)
    expect(sessionRefusal(error)).toBe('impersonator-ended')
  }
})

test('an impersonation has no second cookie, and shows the current name of its administrator', async ({
  stores,
  join,
}) => {
  const { database, sessions } = await join(stores, 'a')
  const made = await prepare(database)
  const { cookie } = await impersonate(database, made)
  await sessions.validate(cookie)
  const check = await sessions.validate(cookie)
  expect(check).toMatchObject({ outcome: 'valid', tier: 'memo' })
  expect(check).not.toHaveProperty('setCookie')
  await database.pool.query(`update "user" set name = 'Grace' where id = $1`, [made.adminId])
  await sessions.settle({ confirm: 'all' })
  expect(await sessions.validate(cookie)).toMatchObject({ actor: { name: 'Grace' } })
})

test('an impersonation does not count as a session of its user, and ends no session of the user', async ({
  stores,
  join,
}) => {
  const { database, sessions } = await join(stores, 'a')
  const made = await prepare(database)
  const session = await signIn(database, made.userId)
  const policy = `insert into session_policy (max_sessions, on_exceeded) values (1, 'evict-oldest')`
  await database.pool.query(policy)
  await impersonate(database, made)
  expect(await sessions.validate(session.cookie)).toMatchObject({ outcome: 'valid' })
  await database.pool.query('delete from session_policy')
})

/** An impersonation begins at the moment in which its source ends. Counts the remaining sessions. */
async function beginAsSourceEnds(database: DatabaseConnection, statement: string, round: number) {
  const made = await prepare(database)
  const parameter = statement === bySource ? made.sourceId : made.adminId
  const steps = [
    () => impersonate(database, made),
    () => database.pool.query(statement, [parameter]),
  ]
  if (round % 2) steps.reverse()
  const settled = await contend(2, async (i) => void (await steps[i]?.()))
  const errors = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
  const left = await database.pool.query('select 1 from session where impersonated_by = $1', [
    made.adminId,
  ])
  return { errors, left: left.rowCount ?? 0 }
}

test.for(ENDS.slice(0, 6))(
  `an impersonation survives in 0 of ${ROUNDS} tries when at the same moment %s`,
  async ([, statement], { stores, join }) => {
    const { database } = await join(stores, 'a')
    for (let round = 0; round < ROUNDS; round += 1) {
      const { errors, left } = await beginAsSourceEnds(database, statement, round)
      for (const error of errors) expect(sessionRefusal(error)).toBe('impersonator-ended')
      expect(left).toBe(0)
    }
  },
)

test('an impersonation survives in the mutant without the rule for other roles, which is detected', async ({
  stores,
  join,
}) => {
  const { database } = await join(stores, 'a')
  const mend = await mutate(database, 'a demotion that ends nothing')
  try {
    const made = await prepare(database)
    await impersonate(database, made)
    await database.pool.query(`update "user" set role = 'user' where id = $1`, [made.adminId])
    const text = 'select 1 from session where impersonated_by = $1'
    expect((await database.pool.query(text, [made.adminId])).rowCount).toBe(1)
  } finally {
    await mend()
  }
})

test('a record of the release without actors is read, and a field of a later one is ignored', () => {
  const at = new Date().toISOString()
  const record = {
    state: 'live',
    session: { id: 's', createdAt: at, expiresAt: at },
    user: { id: 'u', name: 'Ada', email: 'ada@x', role: 'user' },
    until: at,
  }
  expect(parseRecord(record)).not.toHaveProperty('actor')
  expect(parseRecord({ ...record, later: 1 })).toEqual(parseRecord(record))
})
