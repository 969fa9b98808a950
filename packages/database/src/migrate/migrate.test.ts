import { createDatabase, describe, expect, test } from '@repo/testing'
import { Client } from 'pg'
import { migrateDatabase } from './migrate.ts'
import { writeMigrations } from './migrations.fixture.ts'

async function emptyDatabase(serverUrl: string) {
  const database = await createDatabase(serverUrl)
  return { url: database.url, [Symbol.asyncDispose]: () => database.drop() }
}

async function query<Row extends object>(url: string, text: string): Promise<Row[]> {
  const client = new Client(url)
  await client.connect()
  const { rows } = await client.query<Row>(text)
  await client.end()
  return rows
}

const locks = `select * from pg_locks where locktype = 'advisory'
               and database = (select oid from pg_database where datname = current_database())`

describe('a migration that fails', () => {
  test('leaves nothing behind, and no lock: the next instance is not kept waiting', async ({
    databaseUrl,
  }) => {
    await using database = await emptyDatabase(databaseUrl)
    const first = { when: 1, sql: 'create table first ()' }
    await using broken = await writeMigrations([first, { when: 2, sql: 'create table (' }])
    const failing = migrateDatabase({ url: database.url, folder: broken.folder })
    await expect(failing).rejects.toMatchObject({ cause: { code: '42601' } })
    expect(await query(database.url, locks)).toEqual([])
    expect(await query(database.url, `select to_regclass('first') as found`)).toEqual([
      { found: null },
    ])
    await using mended = await writeMigrations([first, { when: 2, sql: 'create table second ()' }])
    const order = { url: database.url, folder: mended.folder }
    expect(await migrateDatabase(order)).toEqual({ applied: 2 })
    expect(await migrateDatabase(order)).toEqual({ applied: 0 })
  })

  // Drizzle goes by the time of the newest one only, so a branch merged late was never applied.
  test('because it is older than those applied says so, instead of being passed over', async ({
    databaseUrl,
  }) => {
    await using database = await emptyDatabase(databaseUrl)
    await using main = await writeMigrations([{ when: 2, sql: 'create table main ()' }])
    await migrateDatabase({ url: database.url, folder: main.folder })
    await using merged = await writeMigrations([
      { when: 1, sql: 'create table branch ()' },
      { when: 2, sql: 'create table main ()' },
    ])
    const failing = migrateDatabase({ url: database.url, folder: merged.folder })
    await expect(failing).rejects.toThrow('older than those applied (1)')
  })
})

test('an older release finds a newer schema current', async ({ databaseUrl }) => {
  await using database = await emptyDatabase(databaseUrl)
  const first = { when: 1, sql: 'create table first ()' }
  await using newer = await writeMigrations([first, { when: 2, sql: 'create table second ()' }])
  await using older = await writeMigrations([first])
  await migrateDatabase({ url: database.url, folder: newer.folder })
  expect(await migrateDatabase({ url: database.url, folder: older.folder })).toEqual({ applied: 0 })
})

test('a server that starts late is waited for', async ({ ownPostgres }) => {
  await ownPostgres.kill()
  const migrating = migrateDatabase({ url: ownPostgres.url })
  await ownPostgres.restart()
  expect((await migrating).applied).toBeGreaterThan(0)
})

test('a server that does not come is given up on after the time that was asked for', async ({
  ownPostgres,
}) => {
  await ownPostgres.kill()
  const startedMs = performance.now()
  const migrating = migrateDatabase({ url: ownPostgres.url, waitMs: 300 })
  await expect(migrating).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  expect(performance.now() - startedMs).toBeLessThan(10_000)
})

test('a wrong password fails at once, not after the time to wait', async ({ databaseUrl }) => {
  const url = new URL(databaseUrl)
  url.password = 'wrong'
  const startedMs = performance.now()
  await expect(migrateDatabase({ url: url.href })).rejects.toMatchObject({ code: '28P01' })
  expect(performance.now() - startedMs).toBeLessThan(10_000)
})
