/* oxlint-disable no-empty-pattern -- vitest reads what a fixture needs from this very pattern */
import { type Bus, createBus } from '@repo/cache-broadcast'
import { connectDatabase, migrateDatabase, schema } from '@repo/database'
import { connectRedis } from '@repo/redis'
import { test as base } from '@repo/testing'

export interface Instance {
  bus: Bus
}

export type Db = ReturnType<typeof connectDatabase>['db']

/**
 * `test` with an empty outbox in `db`, and with `join(url, instance)`, which returns an instance on
 * the bus of the test. The instance leaves the bus after the test.
 */
export const test = base
  .extend('db', async ({ databaseUrl }, { onCleanup }) => {
    await migrateDatabase({ url: databaseUrl })
    const pool = { poolSize: 8, deadlineMs: 20_000 }
    const { db, close } = connectDatabase({ url: databaseUrl, name: 'outbox', ...pool })
    await db.delete(schema.cacheOutbox)
    onCleanup(close)
    return db
  })
  .extend('join', async ({}, { onCleanup }) => {
    const closing: (() => Promise<void>)[] = []
    onCleanup(async () => {
      for (const close of closing.toReversed()) await close()
    })
    return async (url: string, instance: string, deadlineMs = 250): Promise<Instance> => {
      const redis = connectRedis({ url, name: instance, deadlineMs })
      closing.push(() => redis.close())
      await redis.ready()
      const bus = createBus({ redis, name: 'test', instance, maxStaleMs: 300 })
      closing.push(() => bus.close())
      await bus.ready()
      return { bus }
    }
  })
