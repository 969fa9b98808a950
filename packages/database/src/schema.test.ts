import { readFile } from 'node:fs/promises'
import { expect, test } from '@repo/testing'
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { connectDatabase } from './connect.ts'
import { migrateDatabase } from './migrate.ts'
import * as schema from './schema.ts'

const META = new URL('../migrations/meta/', import.meta.url)

async function json(name: string) {
  return JSON.parse(await readFile(new URL(name, META), 'utf8'))
}

test('the committed migrations are all of the schema: drizzle-kit would generate nothing', async () => {
  const { entries } = await json('_journal.json')
  const newest = String(entries.at(-1).idx).padStart(4, '0')
  const statements = await generateMigration(
    await json(`${newest}_snapshot.json`),
    generateDrizzleJson(schema),
  )
  expect(statements).toEqual([])
})

test('a second account of one provider account is refused, whoever makes it', async ({
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
