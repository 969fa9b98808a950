export type { ObserveQuery } from './pool/observed-queries.ts'
export { DatabaseUnavailableError, isDatabaseUnavailable } from './availability.ts'
export {
  connectDatabase,
  type Database,
  type DatabaseConnection,
  type DatabaseOptions,
} from './connect.ts'
export { databaseFigures } from './figures/figures.ts'
export { migrateDatabase, type Migration } from './migrate/migrate.ts'
export { DatabaseOptionError } from './options.ts'
export { openDatabase, type OpenOptions } from './open.ts'
export { poolSize } from './pool/pool-size.ts'
export * as schema from './schema.ts'
export { demo, seedDemo } from './seed.ts'
