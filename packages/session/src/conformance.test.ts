import { connectDatabase, migrateDatabase } from '@repo/database'
import { expect, test, vi } from '@repo/testing'
import { Redis } from 'ioredis'
import { describeConformance, type Opened } from './conformance.ts'
import { createMemorySessions } from './memory.ts'
import { closeInstance, openInstance, SECRET, type Stores } from './open.fixture.ts'

let stores: Stores
test.beforeAll(async ({ databaseUrl, redisUrl }) => {
  await migrateDatabase({ url: databaseUrl })
  stores = { databaseUrl, redisUrl }
})

async function openMemory(): Promise<Opened> {
  const database = connectDatabase({ url: stores.databaseUrl, name: 'memory', poolSize: 4 })
  const sessions = createMemorySessions({ database, secret: SECRET })
  await sessions.ready()
  return {
    sessions,
    database,
    secret: SECRET,
    async close() {
      await sessions.close()
      await database.close()
    },
  }
}

async function openRedis(): Promise<Opened> {
  const redis = new Redis(stores.redisUrl)
  await redis.flushall()
  redis.disconnect()
  const one = await openInstance(stores, 'a')
  return { ...one, secret: SECRET, close: () => closeInstance(one) }
}

describeConformance('memory', openMemory)
describeConformance('Redis', openRedis)

test('sessions in memory are refused for more than one instance, and a single instance logs a warning', async () => {
  const database = connectDatabase({ url: stores.databaseUrl, name: 'memory', poolSize: 1 })
  const log = { info: vi.fn<() => void>(), warn: vi.fn<() => void>() }
  const open = (replicas: number) =>
    createMemorySessions({ database, secret: SECRET, log, replicas })
  expect(() => open(2)).toThrow(expect.objectContaining({ code: 'single-instance' }))
  const sessions = open(1)
  expect(log.warn).toHaveBeenCalledExactlyOnceWith(
    { event: 'session.memory' },
    expect.stringContaining('single instance'),
  )
  await sessions.close()
  await database.close()
})

test('sessions in memory name their backend in the figures', async () => {
  const { sessions, close } = await openMemory()
  const { scope, validationCache } = await sessions.observability()
  expect([scope, validationCache.backend]).toEqual(['instance', 'in-memory'])
  await close()
})
