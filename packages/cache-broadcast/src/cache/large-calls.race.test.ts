import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connectRedis, type RedisConnection } from '@repo/redis'
import { copyMutant, type Edit, expect, test } from '@repo/testing'
import type { createBus, createCache } from '../index.ts'

const SOURCE = path.join(import.meta.dirname, '..')

interface Library {
  createBus: typeof createBus
  createCache: typeof createCache
}

const MANY = 20_000
/** Scripts of one cache in flight: reads and stores of 64 keys, and claims that are prolonged. */
const MOST_SCRIPTS = 24

function keysOf(name: string, count = MANY): string[] {
  return Array.from({ length: count }, (_, i) => `${name}-${i}`)
}

/** Counts the calls in flight: those of other parts of the process wait behind them. */
function counting(redis: RedisConnection, counts: { now: number; most: number }): RedisConnection {
  return {
    ...redis,
    async call(command) {
      counts.now += 1
      counts.most = Math.max(counts.most, counts.now)
      try {
        return await redis.call(command)
      } finally {
        counts.now -= 1
      }
    },
  }
}

interface Work {
  text?: string
  staleMs?: number
  library?: Library
}

/** An instance whose source answers each key within 5 ms; deadlines are not what is tested here. */
async function open(url: string, { text = 'value', staleMs = 0, library }: Work = {}) {
  const { createBus, createCache }: Library = library ?? (await import('../index.ts'))
  const counts = { now: 0, most: 0 }
  const redis = connectRedis({ url, name: 'large', deadlineMs: 10_000 })
  await redis.ready()
  const bus = createBus({ redis: counting(redis, counts), name: 'large', instance: 'large' })
  await bus.ready()
  let loads = 0
  const cache = createCache<string>({
    bus,
    name: 'large',
    staleMs,
    maxEntries: 100,
    parse: String,
    async load(key) {
      loads += 1
      await pause(Math.random() * 5)
      return `${text} of ${key}`
    },
  })
  return {
    bus,
    cache,
    counts,
    loads: () => loads,
    async [Symbol.asyncDispose]() {
      await bus.close()
      await redis.close()
    },
  }
}

test('of 20,000 keys that nothing has loaded, getMany loads and stores each once, some at a time', async ({
  redisUrl,
}) => {
  await using it = await open(redisUrl)
  const keys = keysOf('cold')
  const values = await it.cache.getMany(keys)
  expect(values).toEqual(keys.map((key) => `value of ${key}`))
  expect(it.cache.stats()).toMatchObject({ refused: 0, outages: 0 })
  expect(await it.cache.getMany(keys)).toEqual(values)
  expect(it.loads()).toBe(MANY)
  expect(it.counts.most).toBeLessThanOrEqual(MOST_SCRIPTS)
})

test('20,000 reads of one tick load and store each key once, some at a time', async ({
  redisUrl,
}) => {
  await using it = await open(redisUrl)
  const keys = keysOf('tick')
  const values = await Promise.all(keys.map((key) => it.cache.get(key)))
  expect(values).toEqual(keys.map((key) => `value of ${key}`))
  expect(it.loads()).toBe(MANY)
  expect(it.cache.stats()).toMatchObject({ refused: 0, outages: 0 })
  expect(it.counts.most).toBeLessThanOrEqual(MOST_SCRIPTS)
})

test('20,000 keys expire some at a time, and are loaded again behind', async ({ redisUrl }) => {
  await using it = await open(redisUrl, { staleMs: 60_000 })
  const keys = keysOf('soft')
  await it.cache.getMany(keys)
  const delivery = await it.cache.expire(keys, { wait: 'everywhere' })
  expect(delivery).toMatchObject({ outcome: 'everywhere', acked: ['large'], lapsed: [] })
  expect(await it.cache.getMany(keys.slice(0, 100))).toHaveLength(100)
  await expect.poll(it.loads).toBe(MANY + 100)
  expect(it.counts.most).toBeLessThanOrEqual(MOST_SCRIPTS)
})

test('values of 200 kB are read a few at a time by an instance that knows no sizes', async ({
  ownValkey,
}) => {
  const text = 'x'.repeat(200_000)
  const keys = keysOf('wide', 150)
  {
    await using first = await open(ownValkey.url, { text })
    // The sizes are not known yet: what is not encoded within a claim is stored by the next call.
    for (let call = 0; call < 3; call += 1) await first.cache.getMany(keys)
    expect(first.cache.stats()).toMatchObject({ outages: 0 })
  }
  await using second = await open(ownValkey.url, { text })
  const values = await second.cache.getMany(keys)
  expect(values).toEqual(keys.map((key) => `${text} of ${key}`))
  expect(second.cache.stats()).toMatchObject({ loads: 0, storeHits: 150, outages: 0 })
})

const MUTANTS: [mutant: string, edit: Edit][] = [
  [
    'all reads are sent at once',
    ['cache/redis-level.ts', 'maxCalls: KEYS, maxBytes: KEYS', 'maxCalls: MANY'],
  ],
  ['all values are stored at once', ['cache/redis-writes.ts', 'inFlight < SCRIPTS)', 'true)']],
]

test.for(MUTANTS)(
  'the mutant "%s" is caught',
  async ([mutant, [file, find, put]], { redisUrl }) => {
    const edit: Edit = [file, find, put.replace('MANY', `${MANY}, maxBytes: ${MANY}`)]
    const { source, remove } = await copyMutant(SOURCE, mutant, [edit])
    try {
      const library: Library = await import(source)
      await using it = await open(redisUrl, { library })
      await Promise.all(keysOf(mutant).map((key) => it.cache.get(key)))
      expect(it.counts.most).toBeGreaterThan(MOST_SCRIPTS)
    } finally {
      await remove()
    }
  },
)
