import { join } from 'node:path'
import { type ServerProcess, startPostgres, startValkey } from '@repo/embedded'
import type { ProcessTable } from '../processes/process-table.ts'
import { STATE } from '../state/state.ts'
import type { Progress } from '../terminal/progress.ts'
import { describeDatabase, describeRedis } from './describe-url.ts'
import { keepRunning, type StoreEvent } from './keep-running.ts'

export interface Stores {
  databaseUrl: string
  redisUrl: string
  /** Whether the database is the embedded one of this checkout. */
  isDatabaseEmbedded: boolean
  /** The processes of the embedded stores, for tests that break them. */
  processes(): { name: string; pid: number }[]
  stop(): Promise<void>
}

/** Starts PostgreSQL and Valkey, unless the environment names other servers. */
export async function startStores({
  password,
  progress,
  processes,
  endAfter,
  onRestart,
}: {
  password: string
  progress: Progress
  processes: Pick<ProcessTable, 'add'>
  /** The stores end after this process when the launcher is killed. */
  endAfter: number
  /** A store has restarted as another process. */
  onRestart: () => void
}): Promise<Stores> {
  const embedded = new Map<string, ServerProcess>()
  const ending = new AbortController()
  const watches: Promise<void>[] = []

  function watch(name: string, server: ServerProcess) {
    embedded.set(name, server)
    processes.add(name, server.pid)
    watches.push(keepRunning(name, server, { signal: ending.signal, onEvent: report }))
  }

  function report(event: StoreEvent) {
    progress.event(textOf(event), { instance: event.name })
    if (event.kind === 'failed') return
    processes.add(event.name, event.pid)
    onRestart()
  }

  async function stop() {
    ending.abort()
    await Promise.all([...watches, ...[...embedded.values()].map((server) => server.stop())])
  }

  const { DATABASE_URL: givenDatabase, REDIS_URL: givenRedis } = process.env
  try {
    const databaseUrl = await progress.step('PostgreSQL', async () => {
      if (givenDatabase)
        return { note: external('DATABASE_URL', givenDatabase), value: givenDatabase }
      const dataDir = join(STATE, 'postgres')
      const server = await startPostgres({ dataDir, password, endAfter })
      watch('postgres', server)
      return { note: `embedded, on port ${server.port}`, value: server.url }
    })
    const redisUrl = await progress.step('Valkey', async () => {
      if (givenRedis) return { note: external('REDIS_URL', givenRedis), value: givenRedis }
      const server = await startValkey({ endAfter })
      watch('valkey', server)
      return { note: `embedded (${server.kind}), on port ${server.port}`, value: server.url }
    })
    return {
      databaseUrl,
      redisUrl,
      isDatabaseEmbedded: !givenDatabase,
      processes: () => [...embedded].map(([name, { pid }]) => ({ name, pid })),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function external(setting: 'DATABASE_URL' | 'REDIS_URL', url: string): string {
  const server = setting === 'DATABASE_URL' ? describeDatabase(url) : describeRedis(url)
  return `external: ${server} (${setting} is set)`
}

function textOf(event: StoreEvent): string {
  if (event.kind === 'restarted') {
    return `${event.name} ended: started again on the same port as process ${event.pid}`
  }
  const reason = event.reason.trim().replaceAll(/\s*\n\s*/g, ' | ')
  return `${event.name} ended and could not be started: ${reason}. Next attempt in ${event.retryInMs / 1_000} s`
}
