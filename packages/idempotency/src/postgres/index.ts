export { postgresStore, type PostgresStoreOptions } from './postgres-store.ts'
export { createSweeper, type Sweeper, type SweeperOptions } from './sweep.ts'
