import { type Container, containersOf } from './containers.ts'
import { docker } from './docker.ts'

const PSQL = ['psql', '-U', 'threefold', '-d', 'threefold', '-At', '-F', ' ', '-c']

/** One value from PostgreSQL, asked directly. */
export async function askPostgres(query: string): Promise<string> {
  const [server] = await containersOf('postgres')
  if (!server) throw new Error('postgres does not run')
  return (await docker(['exec', server.id, ...PSQL, query])).trim()
}

const COUNT = `select count(*) from pg_stat_activity where usename = 'app'`

/** In one call each: a call of docker takes 50 ms, and everybody waits. */
const UNTIL_UNUSED = `until [ "$(psql -U threefold -d threefold -Atc "${COUNT}")" = 0 ]; do sleep 0.02; done`
const UNTIL_READY = 'until pg_isready -q -h 127.0.0.1; do sleep 0.02; done'

export async function countConnections(): Promise<number> {
  return Number(await askPostgres(COUNT))
}

/**
 * A planned restart: PgBouncer lets transactions end and holds what comes after, PostgreSQL starts
 * again, PgBouncer goes on. No statement is cut off; all wait as long as it takes.
 * @param restart what ends PostgreSQL and starts it again
 * @returns how long queries were held, in ms
 */
export async function restartPostgres(
  restart: (server: Container) => Promise<unknown> = ({ id }) => docker(['restart', id]),
): Promise<number> {
  const poolers = await containersOf('pgbouncer')
  const [server] = await containersOf('postgres')
  if (poolers.length === 0 || !server) throw new Error('pgbouncer and postgres must run')
  // What a checkpoint writes now, the shutdown need not write while everybody waits.
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
    // Another container has another address: PgBouncer must know it before it goes on.
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
