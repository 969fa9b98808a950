import { connectDatabase, type DatabaseConnection } from './connect.ts'
import { migrateDatabase } from './migrate.ts'
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
 * @throws when the server refuses us, is not there within 15 s, or a migration fails
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
  return connectDatabase({ url: env.DATABASE_URL, name, poolSize: size })
}
