import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { Pool, PoolClient } from 'pg'
import { createQueryStats, type QueryStats } from './figures/query-stats.ts'
import { readOptions, refuse, requireCount, requireMs, requireText, requireUrl } from './options.ts'
import { AwakeClient } from './pool/awake-client.ts'
import { createNamedStatements } from './pool/named-statements.ts'
import { type ObserveQuery, observeQueries } from './pool/observed-queries.ts'
import { QueuedPool } from './pool/queued-pool.ts'
import * as schema from './schema.ts'

export type Database = NodePgDatabase<typeof schema>

export interface DatabaseConnection {
  readonly db: Database
  readonly pool: Pool
  /** The failed calls, and the times of queries. */
  readonly stats: QueryStats
  /** Resolves when the server replies. @throws an error that `isDatabaseUnavailable` recognises */
  readonly ping: () => Promise<void>
  /**
   * Opens the minimum of connections before the first call needs them, and prepares statements on
   * each. Returns whether named statements are sent by name.
   */
  readonly warm: (statements?: readonly WarmStatement[]) => Promise<{ isNamed: boolean }>
  /** Waits for queries in progress, at most the deadline; then closes their connections. */
  readonly close: () => Promise<void>
}

/** A query without an effect, which prepares its statement. */
interface WarmStatement {
  name: string
  text: string
  values: unknown[]
}

export interface DatabaseOptions {
  url: string
  /** The id of the instance, shown by pg_stat_activity. */
  name: string
  poolSize: number
  /** The number of connections that stay open while idle, at most `poolSize`. */
  minConnections?: number
  /** How long one attempt to connect can take, in ms. A call does not wait for its end. */
  connectTimeoutMs?: number
  /**
   * How long a call waits for a connection and the reply together, in ms, while the server replies to
   * no call of this pool, because it is unreachable or hangs.
   */
  deadlineMs?: number
  /** How long a call waits at most while the server is busy and replies to other calls. */
  busyDeadlineMs?: number
  /** Whether the server can be behind a pooler: `warm` then checks that it supports named statements. */
  isPooled?: boolean
  /** Observes each query, for traces. */
  observeQuery?: ObserveQuery | undefined
}

/**
 * Creates a pool on which every call ends within its deadline, in any state of the server.
 * @throws DatabaseOptionError `bad-option`
 */
export function connectDatabase(options: DatabaseOptions): DatabaseConnection {
  const read = readOptions('options', options)
  requireDatabaseOptions(read)
  const { url, name, poolSize, minConnections = 0, connectTimeoutMs = 5_000 } = read
  const { deadlineMs = 1_500, busyDeadlineMs = 5_000, isPooled = false } = read
  const named = createNamedStatements({ isDetected: isPooled })
  const stats = createQueryStats()
  const pool = new QueuedPool({
    connectionString: url,
    application_name: name,
    max: poolSize,
    min: Math.min(minConnections, poolSize),
    Client: AwakeClient,
    connectTimeoutMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    deadlineMs,
    busyDeadlineMs,
    named,
    stats,
  })
  if (read.observeQuery) observeQueries(pool, read.observeQuery)
  const clients = new Set<PoolClient>()
  pool.on('connect', (client) => void clients.add(client))
  const closed = Promise.withResolvers<void>()
  pool.on('remove', (client) => {
    clients.delete(client)
    if (pool.ending && clients.size === 0) closed.resolve()
  })

  return {
    db: Object.assign(drizzle({ client: pool, schema }), { transaction: createTransaction(pool) }),
    pool,
    stats,
    async ping() {
      await pool.query('select 1')
    },
    async warm(statements = []) {
      await pool.warm(async (client) => {
        await named.detect(client)
        if (!named.isSupported()) return
        for (const statement of statements) await client.query({ ...statement })
      })
      return { isNamed: named.isSupported() }
    },
    async close() {
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, deadlineMs)
      if (clients.size === 0) closed.resolve()
      // `pool.end()` does not wait until a server that hangs has closed its side.
      await Promise.race([Promise.all([pool.end(), closed.promise]), late])
      clearTimeout(timer)
      for (const client of clients) client.connection.stream.destroy()
    },
  }
}

function requireDatabaseOptions(options: DatabaseOptions): void {
  const { url, name, poolSize, minConnections, isPooled, observeQuery } = options
  requireUrl('url', url)
  requireText('name', name)
  requireCount('poolSize', poolSize, 1)
  if (minConnections !== undefined) requireCount('minConnections', minConnections, 0)
  for (const option of ['connectTimeoutMs', 'deadlineMs', 'busyDeadlineMs'] as const) {
    requireMs(option, options[option])
  }
  if (observeQuery !== undefined && typeof observeQuery !== 'function') {
    refuse('observeQuery', 'a function')
  }
  if (isPooled !== undefined && typeof isPooled !== 'boolean') refuse('isPooled', 'true or false')
}

/**
 * Creates transactions that survive an outage. `transaction` of Drizzle never releases a connection
 * whose BEGIN failed, and releases one with an open transaction: the next query runs inside it, and
 * its write is lost.
 */
function createTransaction(pool: Pool): Database['transaction'] {
  return async (run, config) => {
    const client = await pool.connect()
    let reason: unknown
    try {
      return await drizzle({ client, schema }).transaction(async (tx) => {
        try {
          return await run(tx)
        } catch (error) {
          reason = error
          throw error
        }
      }, config)
    } catch (error) {
      // The first error is the reason, and not the failure of the ROLLBACK that followed it.
      throw reason ?? error
    } finally {
      client.release(client.getTransactionStatus() !== 'I')
    }
  }
}
