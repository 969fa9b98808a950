import { type Container, containersOf } from './containers.ts'
import { docker } from './docker.ts'

const PSQL = ['psql', '-U', 'threefold', '-d', 'threefold', '-At', '-F', ' ', '-c']

/** Reads one value from PostgreSQL, without PgBouncer. */
export async function askPostgres(query: string): Promise<string> {
  const [server] = await containersOf('postgres')
  if (!server) throw new Error('postgres does not run')
  return (await docker(['exec', server.id, ...PSQL, query])).trim()
}

const COUNT = `select count(*) from pg_stat_activity where usename = 'app'`

/** One call for each pooler: a call of docker takes 50 ms, in which all queries wait. */
const UNTIL_UNUSED = `until [ "$(psql -U threefold -d threefold -Atc "${COUNT}")" = 0 ]; do sleep 0.02; done`
const UNTIL_READY = 'until pg_isready -q -h 127.0.0.1; do sleep 0.02; done'

export async function countConnections(): Promise<number> {
  return Number(await askPostgres(COUNT))
}

/**
 * A planned restart. PgBouncer waits for open transactions and holds new queries, PostgreSQL restarts, and
 * PgBouncer continues. No statement is interrupted.
 * @param restart ends PostgreSQL and starts it again
 * @returns the time in which queries were held, in ms
 */
export async function restartPostgres(
  restart: (server: Container) => Promise<unknown> = ({ id }) => docker(['restart', id]),
): Promise<number> {
  const poolers = await containersOf('pgbouncer')
  const [server] = await containersOf('postgres')
  if (poolers.length === 0 || !server) throw new Error('pgbouncer and postgres must run')
  // A checkpoint now leaves less to write for the shutdown, during which all queries wait.
  await docker(['exec', server.id, ...PSQL, 'checkpoint'])
  const began = performance.now()
  // PAUSE and RESUME of its console, which is closed.
  await signal('USR1', poolers)
  try {
    await docker(['exec', server.id, 'timeout', '10', 'sh', '-c', UNTIL_UNUSED])
    await restart(server)
    const [restarted] = await containersOf('postgres')
    const { id } = restarted ?? server
    await docker(['exec', id, 'timeout', '30', 'sh', '-c', UNTIL_READY])
    // Another container has another address: PgBouncer must resolve it before it continues.
    const address = restarted?.addresses[0]?.address ?? ''
    if (id !== server.id) await Promise.all(poolers.map((each) => untilFollowed(each, address)))
  } finally {
    await signal('USR2', poolers)
  }
  return Math.round(performance.now() - began)
}

async function signal(name: string, containers: readonly Container[]): Promise<void> {
  await docker(['kill', '--signal', name, ...containers.map(({ id }) => id)])
}

async function untilFollowed({ id }: Container, address: string): Promise<void> {
  const until = `until grep -qF 'host=${address} ' /tmp/pgbouncer.ini; do sleep 0.02; done; sleep 0.1`
  await docker(['exec', id, 'timeout', '10', 'sh', '-c', until])
}
