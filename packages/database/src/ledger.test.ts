import { createDatabase, expect, test as base, until } from '@repo/testing'
import { connectDatabase } from './connect.ts'
import { migrateDatabase } from './migrate/migrate.ts'
import { migrationsBefore } from './migrate/migrations-before.fixture.ts'

const pay = `insert into payment (id, payer_id, amount, currency, reference) values ($1, 'ada', $2, 'EUR', 'x')`
const book = `insert into ledger_entry (payment_id, account, amount, currency) values ($1, $2, $3, $4)`
const idOf = (n: number) => `01900000-0000-7000-8000-00000000000${n}`

/** `test` with `earlier`: a database of the release before the ledger, for at most two connections. */
const test = base.extend('earlier', async ({ databaseUrl }, { onCleanup }) => {
  const created = await createDatabase(databaseUrl)
  const { url } = created
  await using migrations = await migrationsBefore('_ledger_and_deliveries')
  await migrateDatabase({ url, folder: migrations.folder })
  const { pool, close } = connectDatabase({ url, name: 'before', poolSize: 2 })
  onCleanup(async () => {
    await close()
    await created.drop()
  })
  return { url, pool }
})

test('each payment of the release before the ledger has entries that sum to zero, also one that it makes after the migration', async ({
  earlier: { url, pool },
}) => {
  const payNamed = (n: number, amount: number) =>
    pool.query({ name: 'pay', text: pay, values: [idOf(n), amount] })
  await payNamed(1, 100)
  expect(await migrateDatabase({ url })).toMatchObject({ applied: expect.any(Number) })
  await payNamed(2, 250)
  const { rows } = await pool.query(
    'select payment_id as id, account, amount::int, currency from ledger_entry order by 1, 2',
  )
  expect(rows).toEqual([
    { id: idOf(1), account: 'merchant', amount: 100, currency: 'EUR' },
    { id: idOf(1), account: 'payer:ada', amount: -100, currency: 'EUR' },
    { id: idOf(2), account: 'merchant', amount: 250, currency: 'EUR' },
    { id: idOf(2), account: 'payer:ada', amount: -250, currency: 'EUR' },
  ])
})

test('the migration to the ledger reads all payments before it stops new ones, and misses no payment in progress', async ({
  earlier: { url, pool },
}) => {
  await pool.query(pay, [idOf(1), 100])
  const payer = await pool.connect()
  await payer.query('begin')
  await payer.query(pay, [idOf(2), 250])
  const migrated = migrateDatabase({ url })
  // It waits for the payment in progress with the lock that stops new ones.
  const locks = await until(async () => {
    const { rows } = await pool.query<{ mode: string; granted: boolean }>(
      `select mode, granted from pg_locks join pg_stat_activity using (pid)
       where relation = 'payment'::regclass and application_name = 'migrate'`,
    )
    return rows.some(({ granted }) => !granted) && rows
  })
  expect(locks).toContainEqual({ mode: 'AccessShareLock', granted: true })
  await payer.query('commit')
  payer.release()
  await migrated
  const { rows } = await pool.query(
    'select payment_id as id, sum(amount)::int, count(*)::int from ledger_entry group by 1 order by 1',
  )
  expect(rows).toEqual([1, 2].map((n) => ({ id: idOf(n), sum: 0, count: 2 })))
})

test('a transaction after which the entries of a payment do not sum to zero is refused', async ({
  databaseUrl,
}) => {
  await migrateDatabase({ url: databaseUrl })
  const { pool, close } = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 1 })
  const client = await pool.connect()
  async function attempt(statements: [string, unknown[]][]) {
    await client.query('begin')
    try {
      for (const [text, values] of statements) await client.query(text, values)
      await client.query('commit')
      return 'committed'
    } catch (error) {
      await client.query('rollback')
      return Object(error).code
    }
  }
  const payment: [string, unknown[]] = [pay, [idOf(3), 100]]
  const entry = (account: string, amount: number, currency = 'EUR'): [string, unknown[]] => [
    book,
    [idOf(3), account, amount, currency],
  ]
  expect(await attempt([payment, entry('a', -100)])).toBe('TF006')
  expect(await attempt([payment, entry('a', -100), entry('b', 99)])).toBe('TF006')
  expect(await attempt([payment, entry('a', -100), entry('b', 100, 'USD')])).toBe('TF006')
  expect(await attempt([payment, entry('a', 0), entry('b', 0)])).toBe('23514')
  expect(await attempt([payment, entry('a', -100), entry('b', 100)])).toBe('committed')
  expect(await attempt([entry('c', 1)])).toBe('TF006')
  expect(await attempt([entry('a', -100)])).toBe('23505')
  for (const change of [
    `update ledger_entry set amount = 101 where account = 'b'`,
    `delete from ledger_entry where account = 'b'`,
  ]) {
    expect(await attempt([[change, []]]), change).toBe('TF006')
  }
  client.release()
  await close()
})
