import { fileURLToPath } from 'node:url'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import type { Client } from 'pg'
import { connectWhenUp } from './connect-when-up.ts'

const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url))
/** The advisory lock's number: any constant that nothing else in the database uses. */
const LOCK = 3_333_333
const LOCK_TIMEOUT_MS = 60_000

export interface Migration {
  /** How many migrations this call applied; 0 when another instance was first. */
  applied: number
}

/**
 * Brings the schema up to date. However many instances call it at once, each migration is applied
 * exactly once and every caller returns with the schema current: the lock is held on the very
 * connection that migrates (drizzle's own `migrate` takes none).
 *
 * @param url a direct connection: a session lock means nothing behind a pooler in transaction mode
 * @param waitMs how long to wait for a server that is not up yet
 */
export async function migrateDatabase({
  url,
  waitMs = 15_000,
}: {
  url: string
  waitMs?: number
}): Promise<Migration> {
  const client = await connectWhenUp({ url, name: 'migrate', waitMs })
  try {
    await client.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`)
    await client.query('select pg_advisory_lock($1)', [LOCK])
    const before = await countApplied(client)
    await migrate(drizzle({ client }), { migrationsFolder: MIGRATIONS })
    return { applied: (await countApplied(client)) - before }
  } finally {
    // Ends the session, and with it the lock, also when the migration failed.
    await client.end()
  }
}

async function countApplied(client: Client): Promise<number> {
  const { rows } = await client.query<{ present: boolean }>(
    `select to_regclass('drizzle.__drizzle_migrations') is not null as present`,
  )
  if (!rows[0]?.present) return 0
  const counted = await client.query<{ n: number }>(
    'select count(*)::int as n from drizzle.__drizzle_migrations',
  )
  return counted.rows[0]?.n ?? 0
}
