import { containerOfPostgres, queryRow } from './database.ts'

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
  return Number((await queryRow(COUNT))[0])
}
