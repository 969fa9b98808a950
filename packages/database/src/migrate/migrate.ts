import { existsSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator'
import type { ClientBase, Pool } from 'pg'
import { markStoreError, untilAvailable } from '../availability.ts'
import { readOptions, refuse, requireMs, requireText, requireUrl } from '../options.ts'
import { AwakeClient } from '../pool/awake-client.ts'
import { createHistory, readHistory, recordMigration } from './history.ts'

const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))
/** The number of the advisory lock: a constant that no other program uses in the database. */
const LOCK = 3_333_333
const LOCK_TIMEOUT_MS = 60_000
/** Longer than one statement of a migration should take while instances wait for it. */
const QUERY_TIMEOUT_MS = 600_000

export interface Migration {
  /** The number of migrations that this call applied; 0 if another instance was first. */
  applied: number
}

/**
 * Applies missing migrations. If many instances call it at once, each migration is applied exactly
 * once, and every caller returns with the current schema. A failed migration is rolled back. If no
 * migration is missing, it takes no lock and needs no right to create.
 *
 * @param waitMs how long it is repeated while the server is unavailable or a connection is lost
 * @param connectTimeoutMs how long one attempt to connect can take
 * @param folder the migrations that drizzle-kit generated
 * @throws when the server refuses the role, is unavailable for longer than `waitMs`, a migration
 * fails, or one is older than the applied ones
 */
export async function migrateDatabase(options: {
  url: string
  waitMs?: number
  connectTimeoutMs?: number
  folder?: string
}): Promise<Migration> {
  const read = readOptions('options', options)
  const { url, waitMs = 15_000, connectTimeoutMs = 5_000, folder = MIGRATIONS } = read
  requireUrl('url', url)
  requireMs('waitMs', waitMs, 0)
  requireMs('connectTimeoutMs', connectTimeoutMs)
  requireText('folder', folder)
  if (!existsSync(folder)) refuse('folder', 'a folder of migrations that exists')
  const wanted = readMigrationFiles({ migrationsFolder: folder })
  return untilAvailable(() => migrateOnce(url, connectTimeoutMs, wanted), { timeoutMs: waitMs })
}

/** Returns the number of migrations of this release that the database lacks. */
export async function missingMigrations(pool: Pool): Promise<number> {
  const wanted = readMigrationFiles({ migrationsFolder: MIGRATIONS })
  const { applied } = await readHistory(pool).catch(explainRights)
  return wanted.filter(({ folderMillis }) => !applied.has(folderMillis)).length
}

async function migrateOnce(url: string, connectTimeoutMs: number, wanted: MigrationMeta[]) {
  const client = new AwakeClient({
    connectionString: url,
    application_name: 'migrate',
    connectTimeoutMs,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  })
  // The connection was lost between two statements. The next statement reports it.
  client.on('error', markStoreError)
  try {
    await client.connect().catch((error: Error) => {
      markStoreError(error)
      throw error
    })
    return { applied: await applyMissing(client, wanted).catch(explainRights) }
  } finally {
    // The server releases the lock before it closes the connection. A server that hangs never closes it.
    await Promise.race([client.end(), wait(connectTimeoutMs, undefined, { ref: false })])
  }
}

function explainRights(error: unknown): never {
  if (!(error instanceof Error && 'code' in error && error.code === '42501')) throw error
  const message = `${error.message}; docs/operations.md, "Roles", lists the rights of each role`
  throw new Error(message, { cause: error })
}

async function applyMissing(client: ClientBase, wanted: MigrationMeta[]): Promise<number> {
  if (missingOf(wanted, (await readHistory(client)).applied).length === 0) return 0
  await lock(client)
  const history = await readHistory(client)
  const missing = missingOf(wanted, history.applied)
  const newest = Math.max(-1, ...history.applied)
  const older = missing.filter(({ folderMillis }) => folderMillis < newest)
  if (older.length > 0) {
    const times = older.map(({ folderMillis }) => folderMillis).join(', ')
    throw new Error(`migrations older than the applied ones (${times}): generate them again`)
  }
  const table = history.table ?? (await createHistory(client, history.schema))
  for (const migration of missing) {
    await apply(client, migration, history.schema)
    await recordMigration(client, table, migration)
  }
  await client.query('commit')
  return missing.length
}

function missingOf(wanted: MigrationMeta[], applied: Set<number>): MigrationMeta[] {
  return wanted.filter(({ folderMillis }) => !applied.has(folderMillis))
}

async function apply(client: ClientBase, { sql, folderMillis }: MigrationMeta, schema: string) {
  for (const statement of sql) {
    // drizzle-kit qualifies only the table to which a foreign key refers.
    const text = schema === 'public' ? statement : statement.replaceAll('"public".', '')
    await client.query(text).catch((cause: Error) => {
      throw new Error(`migration ${folderMillis} failed: ${cause.message}`, { cause })
    })
  }
}

/**
 * Takes the lock. It belongs to the transaction and not to the session. So it also works behind a
 * pooler in transaction mode, and always ends with the transaction.
 */
async function lock(client: ClientBase): Promise<void> {
  // READ COMMITTED: a read after the wait must see the changes that were committed during it.
  await client.query('begin isolation level read committed')
  await client.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`)
  await client.query('set local statement_timeout = 0')
  await client.query('select pg_advisory_xact_lock($1)', [LOCK]).catch((error: Error) => {
    if (!('code' in error && error.code === '55P03')) throw error
    throw new Error(`another process has been migrating for more than ${LOCK_TIMEOUT_MS} ms`)
  })
}
