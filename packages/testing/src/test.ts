/* oxlint-disable no-empty-pattern -- vitest reads what a fixture needs from this very pattern */
import { startPostgres, startValkey, type Valkey } from '@repo/embedded'
import { Redis } from 'ioredis'
import { test as base, inject } from 'vitest'
import { type Replica, type ReplicaOptions, endReplicas, startReplicas } from './replica/replica.ts'
import { createDatabase } from './stores/database.ts'
import { type TcpProxy, type TcpProxyOptions, startTcpProxy } from './stores/tcp-proxy.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The superuser's URL of the run's PostgreSQL. */
    postgresUrl: string
  }
}

/** vitest's `test` with real servers, processes and faults as fixtures; see the README. */
export const test = base
  .extend('databaseUrl', { scope: 'file' }, async ({}, { onCleanup }) => {
    const database = await createDatabase(inject('postgresUrl'))
    onCleanup(() => database.drop())
    return database.url
  })
  // One for each of vitest's workers, which run their files one after the other: databases of one
  // server would share pub/sub channels, scripts and tracking.
  .extend('workerValkey', { scope: 'worker' }, async ({}, { onCleanup }) => {
    const valkey = await startValkey()
    onCleanup(() => valkey.stop())
    return valkey
  })
  .extend('redisUrl', { scope: 'file' }, async ({ workerValkey }) => {
    await empty(workerValkey)
    return workerValkey.url
  })
  .extend('ownPostgres', async ({}, { onCleanup }) => {
    const postgres = await startPostgres()
    onCleanup(() => postgres.stop())
    return postgres
  })
  .extend('ownValkey', async ({}, { onCleanup }) => {
    const valkey = await startValkey()
    onCleanup(() => valkey.stop())
    return valkey
  })
  .extend('replicas', async ({}, { onCleanup }) => {
    const starting: Promise<Replica[]>[] = []
    onCleanup(async () => {
      // Also replicas for which the test did not wait, for instance after its time limit.
      const settled = await Promise.allSettled(starting)
      await endReplicas(
        settled.flatMap((start) => (start.status === 'fulfilled' ? start.value : [])),
      )
    })
    return (n: number, options: ReplicaOptions) => {
      const replicas = startReplicas(n, options)
      starting.push(replicas)
      return replicas
    }
  })
  .extend('tcpProxy', async ({}, { onCleanup }) => {
    const started: TcpProxy[] = []
    onCleanup(async () => void (await Promise.all(started.map((proxy) => proxy.close()))))
    return async (options: TcpProxyOptions) => {
      const proxy = await startTcpProxy(options)
      started.push(proxy)
      return proxy
    }
  })

async function empty({ url }: Valkey) {
  const redis = new Redis(url)
  await redis.flushall()
  await redis.script('FLUSH')
  await redis.function('FLUSH')
  await redis.quit()
}
