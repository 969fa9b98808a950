import { startPostgres, startValkey } from '@repo/embedded'
import { connectRedis } from '@repo/redis'
import { afterAll, beforeAll, expect, test } from '@repo/testing'
import { describeConformance, type OpenedStore } from '../conformance/conformance.ts'
import { again, newClaim } from '../conformance/open.ts'
import { connect, countEffects, prepare, writeEffect } from '../postgres/open.fixture.ts'
import { redisStore } from '../redis/redis-store.ts'
import { tieredStore } from './tiered-store.ts'

const urls = { database: '', redis: '' }
const stops: (() => Promise<void>)[] = []

beforeAll(async () => {
  const [postgres, valkey] = await Promise.all([startPostgres(), startValkey()])
  stops.push(
    () => postgres.stop(),
    () => valkey.stop(),
  )
  Object.assign(urls, { database: postgres.url, redis: valkey.url })
  await prepare(urls.database)
})

afterAll(async () => void (await Promise.all(stops.map((stop) => stop()))))

/** Opens the stores of two instances, with deadlines that a busy machine meets. */
async function open(): Promise<OpenedStore> {
  const instances = await Promise.all(
    ['test-1', 'test-2'].map(async (name) => {
      const redis = connectRedis({ url: urls.redis, name, deadlineMs: 5_000 })
      await redis.ready(10_000)
      const database = connect(urls.database, name)
      const store = tieredStore({ redis: redisStore({ redis }), db: database.db })
      return { redis, database, store }
    }),
  )
  const [first, second] = instances
  return {
    store: first!.store,
    beside: second!.store,
    writeEffect,
    countEffects: (effect) => countEffects(first!.database, effect),
    close: () =>
      Promise.all(
        instances.map(({ redis, database }) => Promise.all([redis.close(), database.close()])),
      ),
  }
}

// A loss of the memory of Redis is no loss of the store: see the race tests.
describeConformance('Redis and PostgreSQL', open, {
  claims: 'leases',
  isShared: true,
  canForget: false,
  hasTransactions: true,
})

test('a record that is copied to Redis again expires there no later than its row', async () => {
  const redis = connectRedis({ url: urls.redis, name: 'test', deadlineMs: 5_000 })
  await redis.ready(10_000)
  const { db, close } = connect(urls.database, 'test')
  const hot = redisStore({ redis })
  const store = tieredStore({ redis: hot, db })
  const claim = newClaim()
  const record = Buffer.from('the response')
  await store.begin(claim, 60_000)
  await store.complete(claim, record, 60_000)
  await redis.client.flushall()
  expect(await store.begin(again(claim), 60_000)).toEqual({ outcome: 'completed', record })
  expect(await hot.begin(again(claim), 60_000)).toEqual({ outcome: 'completed', record })
  const [key] = await redis.client.keys('*')
  expect(await redis.client.pttl(key!)).toBeLessThanOrEqual(60_000)
  await redis.close()
  await close()
})
