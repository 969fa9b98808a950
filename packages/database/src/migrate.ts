import { fileURLToPath } from 'node:url'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import type { ClientBase, Pool } from 'pg'
import { connectWhenUp } from './connect-when-up.ts'

const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url))
/** The advisory lock's number: any constant that nothing else in the database uses. */
const LOCK = 3_333_333
const LOCK_TIMEOUT_MS = 60_000
/** Longer than any one statement of a migration should take while instances wait for it. */
const QUERY_TIMEOUT_MS = 600_000

export interface Migration {
  /** How many migrations this call applied; 0 when another instance was first. */
  applied: number
}

/**
 * Brings the schema up to date. However many instances call it at once, each migration is applied
 * exactly once and every caller returns with the schema current; a migration that fails leaves
 * nothing behind.
 *
 * @param waitMs how long to wait for a server that is not up yet
 * @param folder of the migrations that drizzle-kit generated
 * @throws when the server refuses us, is not there within `waitMs`, a migration fails, or one is
 * older than those applied, which drizzle would pass over in silence
 */
export async function migrateDatabase({
  url,
  waitMs = 15_000,
  folder = MIGRATIONS,
}: {
  url: string
  waitMs?: number
  folder?: string
}): Promise<Migration> {
  const wanted = readMigrationFiles({ migrationsFolder: folder })
  const timing = { waitMs, queryTimeoutMs: QUERY_TIMEOUT_MS }
  const client = await connectWhenUp({ url, name: 'migrate', ...timing })
  try {
    await lock(client)
    const before = await appliedMigrations(client)
    // Its own BEGIN does nothing inside the lock's transaction; its COMMIT, or ROLLBACK, ends it.
    await migrate(drizzle({ client }), { migrationsFolder: folder })
    const after = await appliedMigrations(client)
    const missed = wanted.filter(({ folderMillis }) => !after.has(folderMillis))
    if (missed.length > 0) {
      const times = missed.map(({ folderMillis }) => folderMillis).join(', ')
      throw new Error(`migrations older than those applied (${times}): generate them again`)
    }
    return { applied: after.size - before.size }
  } finally {
    await client.end()
  }
}

/** How many of this release's migrations the database lacks, for instances that do not migrate. */
export async function missingMigrations(pool: Pool): Promise<number> {
  const wanted = readMigrationFiles({ migrationsFolder: MIGRATIONS })
  const applied = await appliedMigrations(pool)
  return wanted.filter(({ folderMillis }) => !applied.has(folderMillis)).length
}

/**
 * Drizzle's `migrate` takes no lock. This one belongs to the transaction and not to the session, so
 * that it holds behind a pooler in transaction mode too, and ends with whatever ends the transaction.
 */
async function lock(client: ClientBase): Promise<void> {
  // READ COMMITTED: what is read after the wait must not be older than the wait.
  await client.query('begin isolation level read committed')
  await client.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`)
  await client.query('set local statement_timeout = 0')
  await client.query('select pg_advisory_xact_lock($1)', [LOCK])
}

/** By the time in the journal, which is what drizzle goes by. */
async function appliedMigrations(client: ClientBase | Pool): Promise<Set<number>> {
  const { rows } = await client.query<{ present: boolean }>(
    `select to_regclass('drizzle.__drizzle_migrations') is not null as present`,
  )
  if (!rows[0]?.present) return new Set()
  const applied = await client.query<{ created_at: string }>(
    'select created_at from drizzle.__drizzle_migrations',
  )
  return new Set(applied.rows.map(({ created_at }) => Number(created_at)))
}
