import { join } from 'node:path'
import { startPostgres } from './postgres.ts'
import type { Progress } from './progress.ts'
import type { ServerProcess } from './server-process.ts'
import { STATE } from './state.ts'
import { startValkey } from './valkey.ts'

export interface Stores {
  databaseUrl: string
  redisUrl: string
  /** The embedded ones, by name; their processes, for whoever wants to break them. */
  processes(): { name: string; pid: number }[]
  stop(): Promise<void>
}

const WATCH_EVERY_MS = 250

/** PostgreSQL and Valkey: embedded, unless the environment names others. */
export async function startStores({
  password,
  progress,
  onRestart,
}: {
  password: string
  progress: Progress
  /** A store died and is back, as another process. */
  onRestart: () => void
}): Promise<Stores> {
  const embedded = new Map<string, ServerProcess>()
  const databaseUrl = await progress.step('PostgreSQL', async () => {
    const given = process.env['DATABASE_URL']
    if (given) return { note: 'DATABASE_URL is used', value: given }
    const server = await startPostgres({ dataDir: join(STATE, 'postgres'), password })
    embedded.set('postgres', server)
    return { note: `embedded, on port ${server.port}`, value: server.url }
  })
  const redisUrl = await progress.step('Valkey', async () => {
    const given = process.env['REDIS_URL']
    if (given) return { note: 'REDIS_URL is used', value: given }
    const server = await startValkey()
    embedded.set('valkey', server)
    return { note: `embedded (${server.kind}), on port ${server.port}`, value: server.url }
  })

  let stopping = false
  const watch = setInterval(() => void reviveTheDead(), WATCH_EVERY_MS)

  async function reviveTheDead() {
    for (const [name, server] of embedded) {
      if (server.running || stopping) continue
      progress.event(`${name} died: started again on the same port`, { instance: name })
      await server.restart()
      onRestart()
    }
  }

  return {
    databaseUrl,
    redisUrl,
    processes: () => [...embedded].map(([name, { pid }]) => ({ name, pid })),
    async stop() {
      stopping = true
      clearInterval(watch)
      await Promise.all([...embedded.values()].map((server) => server.stop()))
    },
  }
}
