import { createDatabase, expect, test } from '@repo/testing'
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

test('a failed migration is rolled back and releases its lock', async ({ databaseUrl }) => {
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

// Drizzle compares with the newest one only, so it never applied a branch that was merged late.
test('a migration that is older than the applied ones is an error and is not skipped', async ({
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
  await expect(failing).rejects.toThrow('older than the applied ones (1)')
})

test('an older release accepts a newer schema', async ({ databaseUrl }) => {
  await using database = await emptyDatabase(databaseUrl)
  const first = { when: 1, sql: 'create table first ()' }
  await using newer = await writeMigrations([first, { when: 2, sql: 'create table second ()' }])
  await using older = await writeMigrations([first])
  await migrateDatabase({ url: database.url, folder: newer.folder })
  expect(await migrateDatabase({ url: database.url, folder: older.folder })).toEqual({ applied: 0 })
})

test('a migration waits for a server that starts late', async ({ ownPostgres }) => {
  await ownPostgres.kill()
  const migrating = migrateDatabase({ url: ownPostgres.url })
  await ownPostgres.restart()
  expect((await migrating).applied).toBeGreaterThan(0)
})

test('a migration fails after waitMs without a server', async ({ ownPostgres }) => {
  await ownPostgres.kill()
  const startedMs = performance.now()
  const migrating = migrateDatabase({ url: ownPostgres.url, waitMs: 300 })
  await expect(migrating).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  expect(performance.now() - startedMs).toBeLessThan(10_000)
})

test('a wrong password fails at once, and not after waitMs', async ({ databaseUrl }) => {
  const url = new URL(databaseUrl)
  url.password = 'wrong'
  const startedMs = performance.now()
  await expect(migrateDatabase({ url: url.href })).rejects.toMatchObject({ code: '28P01' })
  expect(performance.now() - startedMs).toBeLessThan(10_000)
})
