/* oxlint-disable no-empty-pattern -- vitest reads what a fixture needs from this very pattern */
import path from 'node:path'
import { connectDatabase, type DatabaseConnection, migrateDatabase } from '@repo/database'
import {
  endReplicas,
  type Replica,
  startReplicas,
  type TcpProxy,
  test as base,
} from '@repo/testing'
import { Redis } from 'ioredis'
import type { SessionsOptions } from './index.ts'
import type { Opening } from './instance.fixture.ts'

const program = new URL('instance.fixture.ts', import.meta.url)
const OURS = path.join(import.meta.dirname, 'index.ts')
/** An installed checkout of the previous release, which the third process runs instead of this one. */
const BEFORE = process.env['RELEASE_BEFORE']
const beforeFile = (name: string) => path.join(BEFORE ?? '', 'packages/session/src', name)

/** Three processes behind a Redis that can be cut off from each. */
export interface Cluster {
  three: Replica[]
  proxies: TcpProxy[]
  database: DatabaseConnection
  redisUrl: string
}

/** All processes of a machine share this clock. */
export const nowMs = () => Number(process.hrtime.bigint() / 1_000n) / 1_000

/**
 * `test` with `openCluster({ source, ... })`: the program or a mutant of it, on empty stores, in the
 * three processes of the file.
 */
export const test = base
  .extend('database', { scope: 'file' }, async ({ databaseUrl }, { onCleanup }) => {
    await migrateDatabase({ url: databaseUrl })
    const database = connectDatabase({ url: databaseUrl, name: 'test', poolSize: 4 })
    onCleanup(() => database.close())
    return database
  })
  .extend('three', { scope: 'file' }, async ({}, { onCleanup }) => {
    const before = BEFORE === undefined ? 0 : 1
    const started = await Promise.all([
      startReplicas(3 - before, { program }),
      startReplicas(before, { program: beforeFile('instance.fixture.ts') }),
    ])
    const three = started.flat()
    onCleanup(() => endReplicas(three))
    return three
  })
  .extend(
    'openCluster',
    async ({ databaseUrl, redisUrl, database, three, tcpProxy }) =>
      async ({
        source = OURS,
        ...options
      }: Partial<SessionsOptions> & { source?: string } = {}): Promise<Cluster> => {
        await Promise.all(three.map((replica) => replica.call('close')))
        await empty(redisUrl)
        await database.pool.query(
          'truncate cache_outbox, session_tombstone, session, "user" cascade',
        )
        const proxies = await Promise.all([0, 1, 2].map(() => tcpProxy({ target: redisUrl })))
        await Promise.all(
          three.map((replica, i) => {
            const stores = { databaseUrl, redisUrl: proxies[i]!.url }
            const entry = i === 2 && BEFORE !== undefined ? beforeFile('index.ts') : source
            const opening: Opening = { source: entry, instance: `session-${i}`, ...stores, options }
            return replica.call('open', opening)
          }),
        )
        return { three, proxies, database, redisUrl }
      },
  )

async function empty(url: string) {
  const redis = new Redis(url)
  await redis.flushall()
  redis.disconnect()
}
