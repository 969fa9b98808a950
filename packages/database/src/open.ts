import { isDatabaseUnavailable, isRefusal, untilAvailable } from './availability.ts'
import { connectDatabase, type DatabaseConnection, type DatabaseOptions } from './connect.ts'
import { migrateDatabase, missingMigrations } from './migrate/migrate.ts'
import { readOptions, requireMethods, requireMs } from './options.ts'
import type { ObserveQuery } from './pool/observed-queries.ts'
import { poolSize } from './pool/pool-size.ts'

export interface OpenOptions {
  /** The settings as `databaseSettings` of `@repo/service` reads them. */
  env: {
    DATABASE_URL: string
    DATABASE_CONNECTIONS: number
    DATABASE_INSTANCES: number
    DATABASE_MIN_CONNECTIONS?: number
    DATABASE_CONNECT_TIMEOUT_MS?: number
    DATABASE_TIMEOUT_MS?: number
    DATABASE_BUSY_TIMEOUT_MS?: number
    DATABASE_BOOT_TIMEOUT_MS?: number
    MIGRATE_ON_BOOT: boolean
  }
  /** The id of the instance. */
  name: string
  /** Observes each query, for traces. */
  observeQuery?: ObserveQuery | undefined
  log: {
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
    error(fields: object, message: string): void
  }
}

/**
 * Prepares the use of PostgreSQL before an instance is ready: the schema is current, the minimum of
 * connections is open, and named statements are checked. If PostgreSQL is unavailable for longer than
 * the boot timeout, the attempts continue while the instance serves.
 *
 * @throws when the server refuses the role, a migration fails, or the schema is older than this
 * release and `MIGRATE_ON_BOOT` is false
 */
export async function openDatabase(options: OpenOptions): Promise<DatabaseConnection> {
  const { env, name, observeQuery, log } = readOptions('options', options)
  const { DATABASE_BOOT_TIMEOUT_MS: bootTimeoutMs = 15_000 } = readOptions('env', env)
  requireMs('DATABASE_BOOT_TIMEOUT_MS', bootTimeoutMs, 0)
  requireMethods('log', log, ['info', 'warn', 'error'])
  const giveUpAtMs = performance.now() + bootTimeoutMs
  const database = connectDatabase({ ...connectionOf(env, name), observeQuery })
  const closing = new AbortController()
  const { signal } = closing

  /** Resolves after the boot timeout, and the attempts continue until they succeed. */
  async function beforeReady(task: string, work: () => Promise<void>): Promise<void> {
    const timeoutMs = Math.max(0, giveUpAtMs - performance.now())
    let failures = 0
    function onFailure(error: unknown) {
      failures += 1
      if (failures > 1) return
      log.warn({ event: 'database.retry', err: error }, `${task}: PostgreSQL is unavailable`)
    }
    try {
      await untilAvailable(work, { timeoutMs, onFailure, signal })
    } catch (error) {
      if (isRefusal(error) || !isDatabaseUnavailable(error)) throw error
      const message = `${task}: PostgreSQL is unavailable; the instance starts without it`
      log.error({ event: 'database.late', err: error }, message)
      void finishLater(task, work)
    }
  }

  async function finishLater(task: string, work: () => Promise<void>): Promise<void> {
    const forever = { timeoutMs: Infinity, retriesRefusals: true, signal }
    try {
      await untilAvailable(work, forever)
      log.info({ event: 'database.done' }, `${task}: done`)
    } catch (error) {
      if (signal.aborted) return
      log.error({ event: 'database.failed', err: error }, `${task}: failed, and is not repeated`)
    }
  }

  async function requireSchema(): Promise<void> {
    const missing = await missingMigrations(database.pool)
    if (missing === 0) return
    if (!env.MIGRATE_ON_BOOT) {
      throw new Error(`the schema lacks ${missing} migration(s): migrate first`)
    }
    const { DATABASE_URL: url, DATABASE_CONNECT_TIMEOUT_MS: connectTimeoutMs = 5_000 } = env
    const { applied } = await migrateDatabase({ url, waitMs: 0, connectTimeoutMs })
    if (applied > 0) log.info({ event: 'migrated', applied }, `applied ${applied} migration(s)`)
  }

  async function close(): Promise<void> {
    closing.abort()
    await database.close()
  }

  try {
    await beforeReady('the schema of the database', requireSchema)
    await beforeReady('the connections to the database', async () => {
      const { isNamed } = await database.warm()
      if (isNamed) return
      const fix = 'set max_prepared_statements = 200 in pgbouncer.ini'
      const message = `the pooler does not support named statements: they are sent without names; ${fix}`
      log.warn({ event: 'database.unnamed' }, message)
    })
  } catch (error) {
    await close()
    throw error
  }
  return { ...database, close }
}

function connectionOf(env: OpenOptions['env'], name: string): DatabaseOptions {
  const size = poolSize({
    connections: env.DATABASE_CONNECTIONS,
    instances: env.DATABASE_INSTANCES,
  })
  return {
    url: env.DATABASE_URL,
    name,
    poolSize: size,
    minConnections: env.DATABASE_MIN_CONNECTIONS ?? 4,
    connectTimeoutMs: env.DATABASE_CONNECT_TIMEOUT_MS ?? 5_000,
    deadlineMs: env.DATABASE_TIMEOUT_MS ?? 1_500,
    busyDeadlineMs: env.DATABASE_BUSY_TIMEOUT_MS ?? 5_000,
    isPooled: true,
  }
}
