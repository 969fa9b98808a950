import { isDatabaseUnavailable } from './availability.ts'
import { connectDatabase, type DatabaseConnection } from './connect.ts'
import { migrateDatabase, missingMigrations } from './migrate.ts'
import { poolSize } from './pool-size.ts'

export interface OpenOptions {
  /** The settings as `databaseSettings` of `@repo/service` reads them. */
  env: {
    DATABASE_URL: string
    DATABASE_CONNECTIONS: number
    DATABASE_INSTANCES: number
    MIGRATE_ON_BOOT: boolean
  }
  /** The instance's id. */
  name: string
  log: { info(fields: object, message: string): void }
}

/**
 * What an instance does before it serves: brings the schema up to date, whoever of the instances
 * comes first, and opens its share of the connections.
 *
 * @throws when the server refuses us, is not there within 15 s, a migration fails, or the schema is
 * older than this release and others are to migrate it
 */
export async function openDatabase({ env, name, log }: OpenOptions): Promise<DatabaseConnection> {
  if (env.MIGRATE_ON_BOOT) {
    const { applied } = await migrateDatabase({ url: env.DATABASE_URL })
    if (applied > 0) log.info({ event: 'migrated', applied }, `applied ${applied} migration(s)`)
  }
  const size = poolSize({
    connections: env.DATABASE_CONNECTIONS,
    instances: env.DATABASE_INSTANCES,
  })
  const database = connectDatabase({ url: env.DATABASE_URL, name, poolSize: size })
  try {
    if (!env.MIGRATE_ON_BOOT) await requireSchema(database)
  } catch (error) {
    await database.close()
    throw error
  }
  return database
}

/** A database that is away is no reason not to start: it is asked again with every request. */
async function requireSchema({ pool }: DatabaseConnection): Promise<void> {
  const missing = await missingMigrations(pool).catch((error: unknown) => {
    if (isDatabaseUnavailable(error)) return 0
    throw error
  })
  if (missing > 0) throw new Error(`the schema lacks ${missing} migration(s): migrate first`)
}
