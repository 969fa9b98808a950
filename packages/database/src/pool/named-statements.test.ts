import { describe, expect, test } from '@repo/testing'
import { findPgBouncer, startPgBouncer } from '@repo/testing/pgbouncer'
import { connectDatabase, type DatabaseConnection } from '../connect.ts'
import { createTestLog } from '../log.fixture.ts'
import { migrateDatabase } from '../migrate/migrate.ts'
import { openDatabase } from '../open.ts'

const CALLS = 200
const POOL = ['default_pool_size = 3', 'ignore_startup_parameters = extra_float_digits']

const program = await findPgBouncer()

/** Runs a named statement in more calls at once than the pooler has connections. Returns errors. */
async function callNamed({ pool }: DatabaseConnection) {
  const calls = Array.from({ length: CALLS }, (_, n) =>
    pool.query({ name: 'named', text: 'select $1::int as n', values: [n] }),
  )
  const ends = await Promise.allSettled(calls)
  return ends.filter(({ status }) => status === 'rejected')
}

/** Opens the database like an instance, and then runs named statements. */
async function runNamed(url: string) {
  const log = createTestLog()
  const env = { DATABASE_URL: url, DATABASE_CONNECTIONS: 8, DATABASE_INSTANCES: 1 }
  const database = await openDatabase({
    env: { ...env, MIGRATE_ON_BOOT: false },
    name: 'auth-1',
    log,
  })
  const failed = await callNamed(database)
  const { rows: names } = await database.pool.query(
    `select count(*)::int as n from pg_prepared_statements where name = 'named'`,
  )
  await database.close()
  return { failed, names: names[0].n, events: log.lines.map(({ event }) => event) }
}

test('named statements are used on a server without a pooler', async ({ databaseUrl }) => {
  await migrateDatabase({ url: databaseUrl })
  const { failed, names, events } = await runNamed(databaseUrl)
  expect(failed).toEqual([])
  expect(names).toBe(1)
  expect(events).toEqual([])
})

describe.skipIf(program === undefined)('behind PgBouncer in transaction mode', () => {
  test(`behind a pooler without prepared statements, none of ${CALLS} calls fails, and a line names the setting`, async ({
    databaseUrl,
  }) => {
    await migrateDatabase({ url: databaseUrl })
    await using pooler = await start(databaseUrl, 0)
    for (let round = 0; round < 3; round += 1) {
      const { failed, names, events } = await runNamed(pooler.url)
      expect(failed).toEqual([])
      expect(names).toBe(0)
      expect(events).toEqual(['database.unnamed'])
    }
  })

  test('the same calls fail on a pool that sends names to a pooler without prepared statements', async ({
    databaseUrl,
  }) => {
    await using pooler = await start(databaseUrl, 0)
    const database = connectDatabase({ url: pooler.url, name: 'named', poolSize: 8 })
    expect((await callNamed(database)).length).toBeGreaterThan(0)
    await database.close()
  })

  test.skipIf(!program?.canPrepare)(
    'named statements are used behind a pooler with prepared statements',
    async ({ databaseUrl }) => {
      await migrateDatabase({ url: databaseUrl })
      await using pooler = await start(databaseUrl, 200)
      const { failed, events } = await runNamed(pooler.url)
      expect(failed).toEqual([])
      expect(events).toEqual([])
    },
  )

  test('a database is migrated through PgBouncer', async ({ databaseUrl }) => {
    await using pooler = await start(databaseUrl, 0)
    await migrateDatabase({ url: pooler.url })
    expect(await migrateDatabase({ url: pooler.url })).toEqual({ applied: 0 })
  })
})

async function start(target: string, maxPreparedStatements: number) {
  if (!program) throw new Error('there is no PgBouncer')
  return startPgBouncer(program, { target, settings: POOL, maxPreparedStatements })
}
