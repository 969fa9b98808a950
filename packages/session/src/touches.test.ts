import { expect, until, vi } from '@repo/testing'
import { test } from './join.fixture.ts'
import { makeUser, signIn } from './open.fixture.ts'

test('S5: a used session is written at most once a minute by all instances together, and is prolonged', async ({
  stores,
  join,
}) => {
  const options = { touchMs: 20 }
  const [a, b] = [await join(stores, 'a', options), await join(stores, 'b', options)]
  const { pool } = a.database
  const { id, cookie } = await signIn(a.database, await makeUser(a.database))
  await pool.query(
    `update session set last_seen_at = now() - interval '2 min', created_at = now() - interval '2 d',
       expires_at = now() + interval '5 d' where id = $1`,
    [id],
  )
  const spies = [a, b].map(({ database }) => vi.spyOn(database.pool, 'query'))
  const untilMs = performance.now() + 500
  while (performance.now() < untilMs) {
    await Promise.all([a, b].map(({ sessions }) => sessions.validate(cookie)))
    await new Promise(setImmediate)
  }
  const writes = spies.flatMap(({ mock }) =>
    mock.settledResults.filter((_, call) =>
      JSON.stringify(mock.calls[call]?.[0]).includes('session-touch'),
    ),
  )
  // Each instance sends one statement, and only the first of them finds a row that is due.
  expect(writes).toHaveLength(2)
  for (const rowCount of [0, 1]) {
    expect(writes).toContainEqual(
      expect.objectContaining({ value: expect.objectContaining({ rowCount }) }),
    )
  }
  const { rows } = await pool.query(
    `select last_seen_at > now() - interval '1 s' as seen,
       expires_at > now() + interval '6 d' as prolonged
     from session where id = $1`,
    [id],
  )
  expect(rows).toMatchObject([{ seen: true, prolonged: true }])
})

test('a session with a lifetime of a day ends after that day, although it is used', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a', { touchMs: 20 })
  const { pool } = a.database
  const { id, cookie } = await signIn(a.database, await makeUser(a.database))
  await pool.query(
    `update session set last_seen_at = now() - interval '2 min',
       created_at = now() - interval '20 h', expires_at = now() + interval '4 h'`,
  )
  await a.sessions.validate(cookie)
  const { rows } = await until(async () => {
    const seen = await pool.query(
      `select expires_at = created_at + interval '1 d' as same from session
       where id = $1 and last_seen_at > now() - interval '1 min'`,
      [id],
    )
    return seen.rowCount === 1 && seen
  })
  expect(rows).toEqual([{ same: true }])
})

test('S5: a used session ends at the end of its lifetime, and a revoked session stays revoked', async ({
  stores,
  join,
}) => {
  const a = await join(stores, 'a', { touchMs: 20 })
  const { pool } = a.database
  const userId = await makeUser(a.database)
  const [old, ended] = [await signIn(a.database, userId), await signIn(a.database, userId)]
  await pool.query(
    `update session set last_seen_at = now() - interval '2 min',
       created_at = now() - interval '30 d' + interval '2 h', expires_at = now() + interval '1 h'`,
  )
  await Promise.all([old, ended].map(({ cookie }) => a.sessions.validate(cookie)))
  await pool.query('delete from session where id = $1', [ended.id])
  await until(async () => {
    const { rows } = await pool.query(
      `select id from session where last_seen_at > now() - interval '1 min'
         and expires_at = created_at + interval '30 d'`,
    )
    return rows.length === 1 && rows[0].id === old.id
  })
  await a.sessions.settle()
  expect(await a.sessions.validate(ended.cookie)).toEqual({ outcome: 'revoked' })
  await pool.query(`update session set created_at = now() - interval '31 d'`)
  const b = await join(stores, 'b', { ttlMs: 1 })
  await b.bus.clear('session')
  expect(await b.sessions.validate(old.cookie)).toEqual({ outcome: 'expired' })
})
