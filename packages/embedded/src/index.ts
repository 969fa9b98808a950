export { freePort } from './free-port.ts'
export { untilUnused } from './postgres/postgres-pid-file.ts'
export { type Postgres, type PostgresOptions, startPostgres } from './postgres/postgres.ts'
export { createGuard, type Guard } from './process/guard.ts'
export {
  hasCode,
  hasProc,
  identify,
  isCertainlyRunning,
  isRunning,
  type ProcessIdentity,
  statFields,
} from './process/process-identity.ts'
export { processTree, signal } from './process/process-tree.ts'
export { serverEnvironment } from './process/server-environment.ts'
export type { ServerProcess } from './process/server-process.ts'
export { findRedisServer, type RedisServer, startRedisServer } from './valkey/redis-server.ts'
export { startValkey, type Valkey } from './valkey/valkey.ts'
