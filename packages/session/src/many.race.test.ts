import { randomUUID } from 'node:crypto'
import { connectDatabase, type DatabaseConnection } from '@repo/database'
import { expect, until } from '@repo/testing'
import { test as base } from './join.fixture.ts'
import { cookieOf, makeUser, signIn } from './open.fixture.ts'

const MANY = Number(process.env['MANY_SESSIONS'] ?? 20_000)
const AT_ONCE = 2_000
const LISTED = 1_200

/** `patient` writes the data of a test. The deadlines under test are those of the instances. */
const test = base.extend('patient', async ({ stores }, { onCleanup }) => {
  const database = connectDatabase({ url: stores.databaseUrl, name: 'patient', ...PATIENCE })
  onCleanup(() => database.close())
  return database
})

const PATIENCE = { poolSize: 2, deadlineMs: 30_000 }

/** Sessions of one user with the tokens `<prefix>-<n>`, made by a few statements. */
async function makeMany({ pool }: DatabaseConnection, userId: string, n: number): Promise<string> {
  const prefix = randomUUID()
  for (let from = 0; from < n; from += 5_000) {
    const to = Math.min(from + 5_000, n) - 1
    await pool.query(
      `insert into session (id, token, user_id, expires_at)
       select $1 || '-' || i, $1 || '-' || i, $2, now() + interval '1 day'
       from generate_series($3::int, $4::int) i`,
      [prefix, userId, from, to],
    )
  }
  return prefix
}

test(`a sign-out of ${MANY} sessions is complete on two instances, and other callers are served at the same time`, async ({
  stores,
  join,
  patient,
}) => {
  const a = await join(stores, 'a')
  const b = await join(stores, 'b')
  const userId = await makeUser(a.database)
  const other = await signIn(a.database, await makeUser(a.database))
  const prefix = await makeMany(patient, userId, MANY)
  const sample = [0, 1, Math.floor(MANY / 2), MANY - 1].map((i) => cookieOf(`${prefix}-${i}`))
  for (const { sessions } of [a, b]) {
    for (const cookie of sample) {
      expect(await sessions.validate(cookie)).toMatchObject({ outcome: 'valid' })
    }
  }
  const done = new AbortController()
  const refused: string[] = []
  let answered = 0
  const meanwhile = (async () => {
    while (!done.signal.aborted) {
      // Two instances, from Redis or memory, and a fresh session from PostgreSQL.
      const fresh = await signIn(patient, await makeUser(patient))
      const checks = [a.sessions.validate(other.cookie), b.sessions.validate(fresh.cookie)]
      for (const { outcome } of await Promise.all(checks)) {
        answered += 1
        if (outcome !== 'valid') refused.push(outcome)
      }
    }
  })()
  const startedMs = performance.now()
  const revoked = await a.sessions.revoke({ userId }, { confirm: 'all' })
  process.stdout.write(
    `${MANY} sessions: ${JSON.stringify(revoked)}, ${Math.round(performance.now() - startedMs)} ms\n`,
  )
  expect(revoked.revoked).toBe(MANY)
  // Redis may need longer than a call waits: then another settlement confirms it.
  await until(async () => {
    const { outcome } = await b.sessions.settle({ confirm: 'all' })
    return outcome === 'confirmed'
  })
  done.abort()
  await meanwhile
  for (const { sessions } of [a, b]) {
    for (const cookie of sample) {
      expect(await sessions.validate(cookie)).toEqual({ outcome: 'revoked' })
    }
  }
  expect(answered).toBeGreaterThan(0)
  expect(refused).toEqual([])
  expect(await a.sessions.list(userId)).toEqual([])
})

test(`a list of ${LISTED} sessions has at most 100, with the session of the caller first`, async ({
  stores,
  join,
  patient,
}) => {
  const { sessions, database } = await join(stores, 'a')
  const userId = await makeUser(database)
  await makeMany(patient, userId, LISTED)
  const { id } = await signIn(database, userId)
  await database.pool.query(`update session set last_seen_at = now() - interval '1 day'
    where id = '${id}'`)
  const stranger = await signIn(database, await makeUser(database))
  expect(await sessions.list(userId)).toHaveLength(100)
  expect(await sessions.list(userId, { limit: 1_000 })).toHaveLength(1_000)
  const listed = await sessions.list(userId, { limit: 5, first: id })
  expect(listed.map((device) => device.id)).toHaveLength(5)
  expect(listed[0]?.id).toBe(id)
  const others = await sessions.list(userId, { limit: 5, first: stranger.id })
  expect(others.map((device) => device.id)).not.toContain(stranger.id)
})

test(`${AT_ONCE} concurrent revocations are all confirmed, and no revoked session is accepted afterwards`, async ({
  stores,
  join,
  patient,
}) => {
  const a = await join(stores, 'a')
  const b = await join(stores, 'b')
  const userId = await makeUser(a.database)
  const prefix = await makeMany(patient, userId, AT_ONCE)
  const cookies = [0, 7, AT_ONCE - 1].map((i) => cookieOf(`${prefix}-${i}`))
  for (const cookie of cookies) await b.sessions.validate(cookie)
  const startedMs = performance.now()
  const ended = await Promise.all(
    Array.from({ length: AT_ONCE }, (_, i) =>
      a.sessions.revoke({ sessionId: `${prefix}-${i}` }, { confirm: 'all' }),
    ),
  )
  const outcomes = Object.groupBy(ended, ({ outcome }) => outcome)
  process.stdout.write(
    `${AT_ONCE} at once: ${ended.length} in ${Math.round(performance.now() - startedMs)} ms, ${outcomes.confirmed?.length ?? 0} confirmed\n`,
  )
  expect(ended.reduce((sum, { revoked }) => sum + revoked, 0)).toBe(AT_ONCE)
  expect(outcomes.confirmed).toHaveLength(AT_ONCE)
  for (const cookie of cookies) {
    expect(await b.sessions.validate(cookie)).toEqual({ outcome: 'revoked' })
  }
})
