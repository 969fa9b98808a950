import { readFile } from 'node:fs/promises'
import { createDatabase, expect, test } from '@repo/testing'
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { connectDatabase } from './connect.ts'
import { migrateDatabase } from './migrate/migrate.ts'
import { migrationsBefore } from './migrate/migrations-before.fixture.ts'
import * as schema from './schema.ts'

const META = new URL('../migrations/meta/', import.meta.url)

async function json(name: string) {
  return JSON.parse(await readFile(new URL(name, META), 'utf8'))
}

// drizzle-kit adds an enumerable method to every array, which other test files in this thread would
// find among the keys of an array.
Reflect.deleteProperty(Array.prototype, 'random')

test('the committed migrations contain the whole schema: drizzle-kit would generate none', async () => {
  const { entries } = await json('_journal.json')
  const newest = String(entries.at(-1).idx).padStart(4, '0')
  const statements = await generateMigration(
    await json(`${newest}_snapshot.json`),
    generateDrizzleJson(schema),
  )
  expect(statements).toEqual([])
})

test('roles of an earlier release are converted to the roles that Better Auth read', async ({
  databaseUrl,
}) => {
  await using earlier = await migrationsBefore('_administrators')
  await migrateDatabase({ url: databaseUrl, folder: earlier.folder })
  const { pool, close } = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 1 })
  const roles = ['admin', 'user', 'admin,user', 'user,admin', 'Admin', 'moderator', '']
  await pool.query(
    `insert into "user" (id, name, email, role)
     select 'u' || n, role, 'u' || n, role from unnest($1::text[]) with ordinality as t (role, n)`,
    [roles],
  )
  expect(await migrateDatabase({ url: databaseUrl })).toMatchObject({ applied: expect.any(Number) })
  const { rows } = await pool.query<{ role: string }>('select role from "user" order by id')
  const read = ['admin', 'user', 'admin', 'admin', 'user', 'user', 'user']
  expect(rows.map(({ role }) => role)).toEqual(read)
  await pool.query('truncate "user" cascade')
  await close()
})

test('a second account of one provider account is refused for every user', async ({
  databaseUrl,
}) => {
  await migrateDatabase({ url: databaseUrl })
  const { pool, close } = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 2 })
  await pool.query(
    `insert into "user" (id, name, email) values ('a', 'A', 'a@x'), ('b', 'B', 'b@x')`,
  )
  const link = (id: string, user: string) =>
    pool.query(
      `insert into account (id, account_id, provider_id, user_id) values ($1, '7', 'github', $2)`,
      [id, user],
    )
  await link('1', 'a')
  await expect(link('2', 'a')).rejects.toMatchObject({ constraint: 'account_provider_account' })
  await expect(link('3', 'b')).rejects.toMatchObject({ constraint: 'account_provider_account' })
  await close()
})

test('an instance of the release before adds and sends rows of the outbox while the column for traces is added and used', async ({
  databaseUrl,
}) => {
  const created = await createDatabase(databaseUrl)
  const { url } = created
  await using earlier = await migrationsBefore('_outbox_traceparent')
  await migrateDatabase({ url, folder: earlier.folder })
  const { pool, close } = connectDatabase({ url, name: 'before', poolSize: 1 })
  const add = `insert into cache_outbox (id, bus, message, created_at) values (default, $1, $2, default)`
  const take =
    'select id, message from cache_outbox where bus = $1 order by id for update skip locked'
  // Named, so that the connection has the plan of the table without the column.
  const addRow = () => pool.query({ name: 'add', text: add, values: ['test', { kind: 'clear' }] })
  const takeRows = async () => {
    const { rows } = await pool.query({ name: 'take', text: take, values: ['test'] })
    return rows.length
  }
  await addRow()
  expect(await takeRows()).toBe(1)
  expect(await migrateDatabase({ url })).toMatchObject({ applied: expect.any(Number) })
  await addRow()
  const row = { bus: 'test', message: { kind: 'clear' }, traceparent: 'any text' }
  const { db, close: closeNew } = connectDatabase({ url, name: 'after', poolSize: 1 })
  await db.insert(schema.cacheOutbox).values(row)
  expect(await takeRows()).toBe(3)
  const stored = await db.select().from(schema.cacheOutbox).orderBy(schema.cacheOutbox.id)
  expect(stored.map(({ traceparent }) => traceparent)).toEqual([null, null, 'any text'])
  await Promise.all([close(), closeNew()])
  await created.drop()
})
