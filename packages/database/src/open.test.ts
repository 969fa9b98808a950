import { createDatabase, expect, test, until } from '@repo/testing'
import { Client } from 'pg'
import { createTestLog } from './log.fixture.ts'
import { migrateDatabase } from './migrate/migrate.ts'
import { openDatabase, type OpenOptions } from './open.ts'

async function emptyDatabase(serverUrl: string) {
  const database = await createDatabase(serverUrl)
  return { url: database.url, [Symbol.asyncDispose]: () => database.drop() }
}

async function query(url: string, text: string) {
  const client = new Client(url)
  await client.connect()
  const { rows } = await client.query(text)
  await client.end()
  return rows
}

async function open(url: string, env: Partial<OpenOptions['env']> = {}, log = createTestLog()) {
  const settings = { DATABASE_CONNECTIONS: 60, DATABASE_INSTANCES: 10, MIGRATE_ON_BOOT: true }
  const options = { env: { DATABASE_URL: url, ...settings, ...env }, name: 'auth-1', log }
  const database = await openDatabase(options)
  return { ...database, [Symbol.asyncDispose]: database.close }
}

const CONNECTIONS = `select pid from pg_stat_activity
  where datname = current_database() and application_name = 'auth-1'`

test('an open database has the schema, its share of the connections as the limit, and the minimum open', async ({
  databaseUrl,
}) => {
  await using empty = await emptyDatabase(databaseUrl)
  const log = createTestLog()
  await using first = await open(empty.url, {}, log)
  expect(first.pool.options.max).toBe(6)
  expect(await query(empty.url, CONNECTIONS)).toHaveLength(4)
  await using second = await open(empty.url, { DATABASE_CONNECTIONS: 20 }, log)
  expect(second.pool.idleCount).toBe(2)
  expect(await query(empty.url, CONNECTIONS)).toHaveLength(6)
  expect(log.lines).toMatchObject([{ level: 'info', event: 'migrated' }])
})

test('an idle pool has the minimum of connections open', async ({ databaseUrl }) => {
  await using empty = await emptyDatabase(databaseUrl)
  await using database = await open(empty.url)
  expect(database.pool.options).toMatchObject({ min: 4, idleTimeoutMillis: 30_000 })
})

test('a start with MIGRATE_ON_BOOT=false refuses an older schema and does not change it', async ({
  databaseUrl,
}) => {
  await using empty = await emptyDatabase(databaseUrl)
  const opening = () => open(empty.url, { MIGRATE_ON_BOOT: false })
  await expect(opening()).rejects.toThrow(/the schema lacks \d+ migration\(s\): migrate first/)
  expect(await query(empty.url, `select to_regclass('session') as found`)).toEqual([
    { found: null },
  ])
  await migrateDatabase({ url: empty.url })
  await using database = await opening()
  await database.ping()
})

test('a start refuses a wrong password at once', async ({ databaseUrl }) => {
  const url = Object.assign(new URL(databaseUrl), { password: 'wrong' })
  await expect(open(url.href)).rejects.toMatchObject({ code: '28P01' })
})

// The instance exited before.
test('a start continues when the connection that migrates is lost', async ({ databaseUrl }) => {
  await using empty = await emptyDatabase(databaseUrl)
  const other = new Client(empty.url)
  await other.connect()
  await other.query('begin')
  await other.query('select pg_advisory_xact_lock(3333333)')
  const log = createTestLog()
  const opening = open(empty.url, { DATABASE_BOOT_TIMEOUT_MS: 60_000 }, log)
  const migrating = `select pid from pg_stat_activity
    where datname = current_database() and application_name = 'migrate' and wait_event_type = 'Lock'`
  await until(async () => (await query(empty.url, migrating)).length === 1)
  await query(empty.url, `select pg_terminate_backend(pid) from (${migrating}) as lost`)
  await until(() => log.lines.some(({ event }) => event === 'database.retry'))
  await other.end()
  await using database = await opening
  expect((await database.pool.query('select count(*)::int as n from session')).rows).toEqual([
    { n: 0 },
  ])
})

test('a start continues when all its connections are lost repeatedly', async ({
  databaseUrl,
  tcpProxy,
}) => {
  await using empty = await emptyDatabase(databaseUrl)
  const proxy = await tcpProxy({ target: empty.url })
  proxy.delay(5)
  const env = { DATABASE_BOOT_TIMEOUT_MS: 60_000, DATABASE_TIMEOUT_MS: 20_000 }
  const opening = open(proxy.url, env)
  for (let loss = 0; loss < 3; loss += 1) {
    await until(() => proxy.connections() > 0)
    await proxy.cut()
    await proxy.heal()
  }
  await using database = await opening
  expect(database.pool.idleCount).toBe(4)
})

test('a start without PostgreSQL ends after the boot timeout, and is completed when PostgreSQL recovers', async ({
  ownPostgres,
}) => {
  await ownPostgres.kill()
  const log = createTestLog()
  const deadlines = { DATABASE_BOOT_TIMEOUT_MS: 500, DATABASE_TIMEOUT_MS: 100 }
  await using database = await open(ownPostgres.url, deadlines, log)
  expect(log.lines).toContainEqual({
    level: 'error',
    event: 'database.late',
    message: expect.stringContaining('PostgreSQL is unavailable'),
  })
  await ownPostgres.restart()
  await until(() => log.lines.filter(({ event }) => event === 'database.done').length === 2)
  expect(log.lines).toContainEqual(expect.objectContaining({ event: 'migrated' }))
  expect(database.pool.totalCount).toBeGreaterThanOrEqual(4)
})

test('a start with a PostgreSQL that hangs ends after the boot timeout too', async ({
  ownPostgres,
}) => {
  await migrateDatabase({ url: ownPostgres.url })
  await ownPostgres.pause()
  const deadlines = { DATABASE_BOOT_TIMEOUT_MS: 500, DATABASE_TIMEOUT_MS: 100 }
  await using database = await open(ownPostgres.url, {
    ...deadlines,
    DATABASE_CONNECT_TIMEOUT_MS: 300,
  })
  ownPostgres.resume()
  await until(() => database.pool.totalCount >= 4)
})
