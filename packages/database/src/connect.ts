import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { Pool } from 'pg'
import * as schema from './schema.ts'

export type Database = NodePgDatabase<typeof schema>

export interface DatabaseConnection {
  readonly db: Database
  readonly pool: Pool
  /** Answers when the server does. @throws what `isDatabaseUnavailable` recognises */
  readonly ping: () => Promise<void>
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
 * A pool on which no call waits longer than its deadline: half of it for a connection and half for
 * the answer, so that a database that is away is a 503 and never a queue.
 */
export function connectDatabase({ url, name, poolSize, deadlineMs = 1_800 }: DatabaseOptions) {
  const pool = new Pool({
    connectionString: url,
    application_name: name,
    max: poolSize,
    connectionTimeoutMillis: deadlineMs / 2,
    query_timeout: deadlineMs / 2,
    idleTimeoutMillis: 30_000,
  })
  // An idle connection that the server closed is dropped from the pool; the next query opens one.
  pool.on('error', () => undefined)

  return {
    db: drizzle({ client: pool, schema }),
    pool,
    async ping() {
      await pool.query('select 1')
    },
    close: () => pool.end(),
  } satisfies DatabaseConnection as DatabaseConnection
}
