import { randomUUID } from 'node:crypto'
import { awakeMs, contend, expect, until } from '@repo/testing'
import { sessionRefusal, setSessionLimit } from './index.ts'
import { test } from './join.fixture.ts'
import { makeUser, signIn } from './open.fixture.ts'

/** The ends of a session, and the outcome of its cookie on another instance, which had it cached. */
const ENDS: [how: string, statement: string, outcome: string][] = [
  ['a deleted row', 'delete from session where user_id = $1', 'revoked'],
  ['a ban', 'update "user" set banned = true where id = $1', 'revoked'],
  ['a deleted user', 'delete from "user" where id = $1', 'revoked'],
  ['a new password', `update account set password = 'new' where user_id = $1`, 'revoked'],
  ['a shorter life', 'update session set expires_at = now() where user_id = $1', 'expired'],
  ['another token', `update session set token = 'of-' || id where user_id = $1`, 'valid'],
]

test.for(ENDS)(
  'S6: every instance refuses a settled session after its end by: %s',
  async ([, statement, outcome], { stores, join }) => {
    const [a, b] = [await join(stores, 'a'), await join(stores, 'b')]
    const userId = await makeUser(a.database)
    await a.database.pool.query(
      `insert into account (id, account_id, provider_id, user_id, password)
     values ($1, $1, 'credential', $1, 'old')`,
      [userId],
    )
    const { cookie } = await signIn(a.database, userId)
    await Promise.all([a, b].map(({ sessions }) => sessions.validate(cookie)))
    await a.database.pool.query(statement, [userId])
    expect(await a.sessions.settle({ confirm: 'all' })).toMatchObject({ acked: 2, lapsed: 0 })
    for (const { sessions } of [a, b]) {
      const check = await sessions.validate(cookie)
      expect(check.outcome).toBe(outcome)
      // A rotated token is valid for parallel requests, but is read again.
      if (check.outcome === 'valid') expect(check.tier).not.toBe('memo')
    }
  },
)

test('a session whose end is rolled back stays valid on every instance', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const userId = await makeUser(a.database)
  const { cookie } = await signIn(a.database, userId)
  await a.sessions.validate(cookie)
  const client = await a.database.pool.connect()
  await client.query('begin')
  await client.query('delete from session where user_id = $1', [userId])
  await client.query('rollback')
  client.release()
  await a.sessions.settle()
  expect(await a.sessions.validate(cookie)).toMatchObject({ outcome: 'valid', tier: 'memo' })
})

test('a revocation by an instance that has died is sent by another instance within a second', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const { id, cookie } = await signIn(a.database, await makeUser(a.database))
  await a.sessions.validate(cookie)
  await a.database.pool.query('delete from session where id = $1', [id])
  const since = awakeMs()
  await until(async () => (await a.sessions.validate(cookie)).outcome === 'revoked')
  expect(awakeMs() - since).toBeLessThan(1_000)
})

test('a revoke ends one session, or all except one, and returns their number', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const userId = await makeUser(a.database)
  const five: Awaited<ReturnType<typeof signIn>>[] = []
  for (let i = 0; i < 5; i += 1) five.push(await signIn(a.database, userId))
  const outcomes = async () =>
    (await Promise.all(five.map(({ cookie }) => a.sessions.validate(cookie)))).map(
      ({ outcome }) => outcome,
    )
  expect(await outcomes()).toEqual(Array(5).fill('valid'))
  expect(await a.sessions.revoke({ sessionId: five[0]!.id })).toMatchObject({ revoked: 1 })
  expect(await a.sessions.revoke({ sessionId: five[0]!.id })).toMatchObject({ revoked: 0 })
  expect(await outcomes()).toEqual(['revoked', ...Array(4).fill('valid')])
  const others = await a.sessions.revoke({ userId, except: five[4]!.id })
  expect(others).toMatchObject({ outcome: 'sent', revoked: 3 })
  expect(await outcomes()).toEqual([...Array(4).fill('revoked'), 'valid'])
  expect((await a.sessions.list(userId)).map(({ id }) => id)).toEqual([five[4]!.id])
})

test('a banned user gets no session, and gets one again when the ban has ended', async ({
  stores,
  join,
}) => {
  const { database } = await join(stores, 'a')
  const userId = await makeUser(database)
  await database.pool.query(`update "user" set banned = true where id = $1`, [userId])
  const refused = await signIn(database, userId).catch((error: unknown) => error)
  expect(sessionRefusal(refused)).toBe('banned')
  expect(sessionRefusal(new Error('wrapped', { cause: refused }))).toBe('banned')
  await database.pool.query(
    `update "user" set ban_expires = now() - interval '1 s' where id = $1`,
    [userId],
  )
  await signIn(database, userId)
})

test.for([
  ['reject', 17],
  ['evict-oldest', 0],
] as const)(
  '20 concurrent sign-ins with a limit of 3 by %s leave exactly 3 sessions',
  async ([onExceeded, refused], { stores, join }) => {
    const [a, b] = [await join(stores, 'a'), await join(stores, 'b')]
    await setSessionLimit(a.database, { max: 3, onExceeded })
    const userId = await makeUser(a.database)
    const signIns = await contend(20, (i) => signIn((i % 2 ? a : b).database, userId))
    const failures = signIns.filter((signedIn) => signedIn.status === 'rejected')
    expect(failures.map(({ reason }) => sessionRefusal(reason))).toEqual(
      Array(refused).fill('limit'),
    )
    const alive = await Promise.all(
      signIns.map(async (signedIn) => {
        if (signedIn.status === 'rejected') return false
        const check = await a.sessions.validate(signedIn.value.cookie)
        return check.outcome === 'valid'
      }),
    )
    expect(alive.filter(Boolean)).toHaveLength(3)
    expect(await a.sessions.list(userId)).toHaveLength(3)
    await setSessionLimit(a.database, undefined)
    await signIn(a.database, userId)
  },
)

test('one of ten concurrent rotations succeeds, parallel requests are valid, and a late use of the old token revokes', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a', { graceMs: 300 })
  const b = await join(stores, 'b', { graceMs: 300 })
  const { id, token, cookie } = await signIn(a.database, await makeUser(a.database))
  await a.sessions.validate(cookie)
  const during = Array.from({ length: 10 }, () => b.sessions.validate(cookie))
  const rotations = await Promise.all(
    Array.from({ length: 10 }, (_, i) => (i % 2 ? a : b).sessions.rotate(token)),
  )
  const won = rotations.filter((rotation) => rotation.outcome === 'rotated')
  expect(won).toHaveLength(1)
  const renewed = `better-auth.session_token=${won[0]!.cookieValue}`
  const after = [cookie, renewed].flatMap((header) =>
    [a, b].map((one) => one.sessions.validate(header)),
  )
  for (const check of await Promise.all([...during, ...after])) {
    expect(check).toMatchObject({ outcome: 'valid', session: { id } })
  }
  await until(async () => (await b.sessions.validate(cookie)).outcome === 'revoked')
  for (const { sessions } of [a, b]) {
    await until(async () => (await sessions.validate(renewed)).outcome === 'revoked')
  }
  expect(await a.sessions.rotate(won[0]!.token)).toEqual({ outcome: 'lost' })
})

test('the list of sessions has the details for their user, and no token', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a')
  const userId = await makeUser(a.database)
  const { id } = await signIn(a.database, userId)
  const at = expect.any(Date)
  expect(await a.sessions.list(userId)).toEqual([
    { id, agent: 'a browser', address: null, createdAt: at, lastSeenAt: at, expiresAt: at },
  ])
  expect(await a.sessions.list(randomUUID())).toEqual([])
})
