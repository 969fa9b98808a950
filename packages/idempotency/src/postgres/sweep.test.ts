import { expect, test as base, until } from '@repo/testing'
import { vi } from 'vitest'
import { again, newClaim } from '../conformance/open.ts'
import { connect, type Connected, prepare } from './open.fixture.ts'
import { postgresStore } from './postgres-store.ts'
import { createSweeper } from './sweep.ts'

const RECORD = Buffer.from('the response')

const test = base.extend('database', async ({ databaseUrl }, { onCleanup }) => {
  await prepare(databaseUrl)
  const database = connect(databaseUrl, 'sweep')
  await database.pool.query('truncate idempotency_key')
  onCleanup(database.close)
  return { ...database, store: postgresStore({ db: database.db }) }
})

async function countRows({ pool }: Pick<Connected, 'pool'>, where = 'true') {
  const text = `select count(*)::integer as n from idempotency_key where ${where}`
  const { rows } = await pool.query<{ n: number }>(text)
  return rows[0]?.n
}

test('a sweep deletes expired rows in batches, and no other row', async ({ database }) => {
  const { store } = database
  const kept = newClaim()
  await store.complete(kept, RECORD, 3_600_000)
  const pending = newClaim()
  await store.begin(pending, 60_000)
  for (let n = 0; n < 25; n += 1) await store.complete(newClaim(), RECORD, 1)
  const isExpired = 'expires_at <= clock_timestamp()'
  await until(async () => (await countRows(database, isExpired)) === 25)
  expect(await store.sweep?.(10)).toBe(10)
  const sweeper = createSweeper({ store, everyMs: 3_600_000, limit: 10 })
  await sweeper.run()
  await sweeper.close()
  expect(await countRows(database)).toBe(2)
  expect(await store.begin(again(kept), 1_000)).toEqual({ outcome: 'completed', record: RECORD })
  expect(await store.begin(again(pending), 1_000)).toMatchObject({ outcome: 'pending' })
})

test('two sweeps at once never delete together, and one that hangs stops no request', async ({
  database,
}) => {
  const { store, db } = database
  const expired = newClaim()
  await store.complete(expired, RECORD, 1)
  await until(async () => (await store.begin(again(expired), 1)).outcome === 'claimed')
  await store.complete(newClaim(), RECORD, 1)
  await db.transaction(async (tx) => {
    // A sweep on another connection holds its lock.
    await tx.execute('select pg_advisory_xact_lock(3333334)')
    expect(await store.sweep?.(10)).toBe(0)
    const claim = newClaim()
    expect(await store.begin(claim, 1_000)).toMatchObject({ outcome: 'claimed' })
  })
  await until(async () => (await store.sweep?.(10)) === 1)
})

test('a row that is claimed again during a sweep is not deleted', async ({ database }) => {
  const { store, db } = database
  const expired = newClaim()
  await store.complete(expired, RECORD, 1)
  const next = again(expired)
  await until(async () => (await store.begin(next, 60_000)).outcome === 'claimed')
  expect(await store.sweep?.(10)).toBe(0)
  await store.complete(next, RECORD, 1)
  await db.transaction(async (tx) => {
    await tx.execute('select id from idempotency_key for update')
    // The row is in use, so it is left to a later sweep.
    expect(await store.sweep?.(10)).toBe(0)
  })
  await until(async () => (await store.sweep?.(10)) === 1)
})

test('a sweeper repeats its turns until it is closed', async ({ onTestFinished }) => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  let turns = 0
  const sweep = async () => {
    turns += 1
    return 0
  }
  const sweeper = createSweeper({ store: { sweep }, everyMs: 10 })
  await vi.advanceTimersByTimeAsync(35)
  expect(turns).toBe(3)
  await sweeper.close()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(turns).toBe(3)
})

test('a sweeper is refused without rows in PostgreSQL, or with a limit that is no number of rows', () => {
  expect(() => createSweeper({ store: {} })).toThrow(
    expect.objectContaining({ code: 'bad-option' }),
  )
  const store = { sweep: async () => 0 }
  for (const limit of [0, 1.5, Number.NaN]) {
    expect(() => createSweeper({ store, limit })).toThrow('limit')
  }
})
