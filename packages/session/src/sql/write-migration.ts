/**
 * Writes the migration that brings the functions and triggers of a migrated database to the SQL of this
 * folder: `pnpm --filter @repo/session migration NAME`. It applies all migrations to an empty
 * PostgreSQL and compares. The tables themselves are those of `packages/database/src/schema`.
 */
import { execFileSync } from 'node:child_process'
import { globSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { connectDatabase, migrateDatabase } from '@repo/database'
import { startPostgres } from '@repo/embedded'
import { findChanges } from './session-sql.ts'

const DATABASE = path.join(import.meta.dirname, '../../../database')
const EX_USAGE = 64

const [name = ''] = process.argv.slice(2)
if (!/^[a-z][a-z0-9_]*$/u.test(name)) {
  console.error('Give the migration a name, such as session_limit: a-z, 0-9 and _')
  process.exit(EX_USAGE)
}
await using stop = new AsyncDisposableStack()
const postgres = await startPostgres()
stop.defer(() => postgres.stop())
await migrateDatabase({ url: postgres.url })
const database = connectDatabase({ url: postgres.url, name: 'migration', poolSize: 1 })
stop.defer(() => database.close())
const client = await database.pool.connect()
await client.query('begin')
const changes = await findChanges(client)
client.release(true)
if (changes.length === 0)
  console.log('The migrations already have this SQL. No migration is written.')
else {
  execFileSync('pnpm', ['run', 'generate', '--custom', '--name', name], {
    cwd: DATABASE,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const file = globSync(`migrations/*_${name}.sql`, { cwd: DATABASE }).toSorted().at(-1)
  if (file === undefined) throw new Error(`drizzle-kit wrote no migration named ${name}`)
  writeFileSync(path.join(DATABASE, file), `${changes.join('\n--> statement-breakpoint\n')}\n`)
  console.log(`packages/database/${file}: ${changes.length} statements`)
}
