import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connectRedis, type RedisConnection } from '@repo/redis'
import { copyMutant, type Edit, expect, test } from '@repo/testing'
import type { createBus, createCache } from '../index.ts'
import { callUntil } from '../open.fixture.ts'

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
  deadlineMs?: number
  staleMs?: number
  library?: Library
}

/** An instance whose source answers each key within 5 ms. Most tests are not about deadlines. */
async function open(
  url: string,
  { text = 'value', staleMs = 0, deadlineMs = 10_000, library }: Work = {},
) {
  const { createBus, createCache }: Library = library ?? (await import('../index.ts'))
  const counts = { now: 0, most: 0 }
  const redis = connectRedis({ url, name: 'large', deadlineMs })
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
    redis,
    counts,
    loads: () => loads,
    async [Symbol.asyncDispose]() {
      await bus.close()
      await redis.close()
    },
  }
}

test('getMany of 20,000 cold keys loads and stores each once, with a limit of scripts in flight', async ({
  redisUrl,
}) => {
  await using opened = await open(redisUrl)
  const keys = keysOf('cold')
  const values = await opened.cache.getMany(keys)
  expect(values).toEqual(keys.map((key) => `value of ${key}`))
  expect(opened.cache.stats()).toMatchObject({ refused: 0, outages: 0 })
  expect(await opened.cache.getMany(keys)).toEqual(values)
  expect(opened.loads()).toBe(MANY)
  expect(opened.counts.most).toBeLessThanOrEqual(MOST_SCRIPTS)
})

test('20,000 reads of one tick load and store each key once, with a limit of scripts in flight', async ({
  redisUrl,
}) => {
  await using opened = await open(redisUrl)
  const keys = keysOf('tick')
  const values = await Promise.all(keys.map((key) => opened.cache.get(key)))
  expect(values).toEqual(keys.map((key) => `value of ${key}`))
  expect(opened.loads()).toBe(MANY)
  expect(opened.cache.stats()).toMatchObject({ refused: 0, outages: 0 })
  expect(opened.counts.most).toBeLessThanOrEqual(MOST_SCRIPTS)
})

test('20,000 keys expire with a limit of scripts in flight, and are loaded again in the background', async ({
  redisUrl,
}) => {
  await using opened = await open(redisUrl, { staleMs: 60_000 })
  const keys = keysOf('soft')
  await opened.cache.getMany(keys)
  const delivery = await opened.cache.expire(keys, { wait: 'everywhere' })
  expect(delivery).toMatchObject({ outcome: 'everywhere', acked: ['large'], lapsed: [] })
  expect(await opened.cache.getMany(keys.slice(0, 100))).toHaveLength(100)
  await expect.poll(opened.loads).toBe(MANY + 100)
  expect(opened.counts.most).toBeLessThanOrEqual(MOST_SCRIPTS)
})

test('an instance that has not read values before reads values of 200 kB a few at a time', async ({
  ownValkey,
}) => {
  const text = 'x'.repeat(200_000)
  const keys = keysOf('wide', 150)
  {
    await using first = await open(ownValkey.url, { text })
    // The instance has no average size yet: the next call stores the values whose claims ended.
    for (let call = 0; call < 3; call += 1) await first.cache.getMany(keys)
    expect(first.cache.stats()).toMatchObject({ outages: 0 })
  }
  await using second = await open(ownValkey.url, { text })
  const values = await second.cache.getMany(keys)
  expect(values).toEqual(keys.map((key) => `${text} of ${key}`))
  expect(second.cache.stats()).toMatchObject({ loads: 0, storeHits: 150, outages: 0 })
})

/** Entries of the log that one bus appends at the same time. */
const MOST_ENTRIES = 64
const KEYS_OF_A_CALL = 100_000

test('while one call invalidates 100,000 keys no other call on its connection is refused, with a limit of entries in flight', async ({
  ownValkey,
}) => {
  await using opened = await open(ownValkey.url, { deadlineMs: 250 })
  const invalidating = opened.cache.invalidate(keysOf('drop', KEYS_OF_A_CALL), {
    wait: 'everywhere',
  })
  const meanwhile = await callUntil(invalidating, opened)
  expect(await invalidating).toMatchObject({ outcome: 'everywhere', acked: ['large'], lapsed: [] })
  expect(meanwhile).toMatchObject({ rejected: [] })
  expect(meanwhile.served).toBeGreaterThan(10)
  expect(opened.counts.most).toBeLessThanOrEqual(MOST_ENTRIES)
})

test('the limit of entries in flight is exceeded by a mutant that appends them all at once', async ({
  redisUrl,
}) => {
  const edit: Edit = ['bus/log/publish.ts', 'createPace()', `createPace({ maxCalls: ${MANY} })`]
  const { source, remove } = await copyMutant(SOURCE, 'all entries at once', [edit])
  try {
    const library: Library = await import(source)
    await using opened = await open(redisUrl, { library })
    await opened.cache.invalidate(keysOf('mutant', KEYS_OF_A_CALL))
    expect(opened.counts.most).toBeGreaterThan(MOST_ENTRIES)
  } finally {
    await remove()
  }
})

const MUTANTS: [mutant: string, edit: Edit][] = [
  [
    'all reads are sent at once',
    ['cache/store.ts', 'maxCalls: KEYS, maxBytes: KEYS', 'maxCalls: MANY'],
  ],
  ['all values are stored at once', ['cache/redis-writes.ts', 'inFlight < SCRIPTS)', 'true)']],
]

test.for(MUTANTS)(
  'the limit of scripts in flight is exceeded by a mutant in which %s',
  async ([mutant, [file, find, put]], { redisUrl }) => {
    const edit: Edit = [file, find, put.replace('MANY', `${MANY}, maxBytes: ${MANY}`)]
    const { source, remove } = await copyMutant(SOURCE, mutant, [edit])
    try {
      const library: Library = await import(source)
      await using opened = await open(redisUrl, { library })
      await Promise.all(keysOf(mutant).map((key) => opened.cache.get(key)))
      expect(opened.counts.most).toBeGreaterThan(MOST_SCRIPTS)
    } finally {
      await remove()
    }
  },
)
