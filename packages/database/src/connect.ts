import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { Pool, type PoolClient } from 'pg'
import * as schema from './schema.ts'
import { createTransaction } from './transaction.ts'

export type Database = NodePgDatabase<typeof schema>

export interface DatabaseConnection {
  readonly db: Database
  readonly pool: Pool
  /** Answers when the server does. @throws what `isDatabaseUnavailable` recognises */
  readonly ping: () => Promise<void>
  /** Waits for queries in progress, at most the deadline; then cuts them off. */
  readonly close: () => Promise<void>
}

export interface DatabaseOptions {
  url: string
  /** Shown by pg_stat_activity: the instance's id. */
  name: string
  poolSize: number
  /** How long a caller waits for a connection and an answer together, in ms. */
  deadlineMs?: number
}

/**
 * A pool on which no call waits longer than its deadline: a quarter of it for a connection, the rest for
 * the answer, so that a database that is away is a 503 and never a queue.
 */
export function connectDatabase({ url, name, poolSize, deadlineMs = 1_800 }: DatabaseOptions) {
  const pool = new Pool({
    connectionString: url,
    application_name: name,
    max: poolSize,
    connectionTimeoutMillis: deadlineMs / 4,
    query_timeout: (deadlineMs * 3) / 4,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  })
  const clients = new Set<PoolClient>()
  // An idle connection that the server closed is dropped from the pool; the next query opens one.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => {
    clients.add(client)
    // One that breaks while a transaction holds it: the next statement reports it. Unheard, the
    // event would end the process.
    client.on('error', () => undefined)
  })
  const gone = Promise.withResolvers<void>()
  pool.on('remove', (client) => {
    clients.delete(client)
    if (pool.ending && clients.size === 0) gone.resolve()
  })

  return {
    db: Object.assign(drizzle({ client: pool, schema }), { transaction: createTransaction(pool) }),
    pool,
    async ping() {
      await pool.query('select 1')
    },
    async close() {
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, deadlineMs)
      if (clients.size === 0) gone.resolve()
      // The pool ends when it has said goodbye: a server that hangs keeps the connection.
      await Promise.race([Promise.all([pool.end(), gone.promise]), late])
      clearTimeout(timer)
      for (const client of clients) client.connection.stream.destroy()
    },
  } satisfies DatabaseConnection as DatabaseConnection
}
