import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { readCluster } from './cluster.ts'

const run = promisify(execFile)

/** Counts the connections of the instances, without the one that runs this query. */
const COUNT = `select count(*) from pg_stat_activity
  where backend_type = 'client backend' and pid <> pg_backend_pid()`

/**
 * The limit for all instances together: `DATABASE_CONNECTIONS`, or PgBouncer's pool in containers.
 */
export function grantedConnections(): number {
  return containerOfPostgres() ? 20 : 80
}

/** The number of connections that PostgreSQL reports. */
export async function countConnections(): Promise<number> {
  const container = containerOfPostgres()
  if (container) {
    const psql = ['psql', '-U', 'threefold', '-d', 'threefold', '-Atc', COUNT]
    const { stdout } = await run('docker', ['exec', container, ...psql])
    return Number(stdout)
  }
  const client = new Client(readCluster().databaseUrl)
  await client.connect()
  try {
    const { rows } = await client.query<{ count: string }>(COUNT)
    return Number(rows[0]?.count)
  } finally {
    await client.end()
  }
}

function containerOfPostgres(): string | undefined {
  return readCluster().stores.find(({ name }) => name === 'postgres')?.container
}
