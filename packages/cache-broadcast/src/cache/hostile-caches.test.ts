import { randomUUID } from 'node:crypto'
import { connectRedis, type RedisConnection } from '@repo/redis'
import { describe, expect, findRawErrors, findRawErrorsOfOptions, test } from '@repo/testing'
import { createMemoryBus } from '../bus/memory-bus.ts'
import { type Bus, type Cache, CacheError, createBus, createCache } from '../index.ts'
import { streamOf } from '../next/entries.ts'
import { createNextHandler, type NextCacheHandler } from '../next/next.ts'

const isCoded = (error: unknown) => error instanceof CacheError

function toItself<V>(value: V): V {
  return value
}

/** Each makes one call of a cache with a hostile value in one place. */
const CALLS: Record<string, (cache: Cache<unknown>, value: never) => unknown> = {
  'the key of get': (cache, value) => cache.get(value),
  'the key of peek': (cache, value) => cache.peek(value),
  'the keys of getMany': (cache, value) => cache.getMany(value),
  'one key of getMany': (cache, value) => cache.getMany(['other', value]),
  'the key of set': (cache, value) => cache.set(value, 1),
  'the value of set': (cache, value) => cache.set('other', value),
  'the options of set': (cache, value) => cache.set('other', 1, value),
  'wait of set': (cache, value) => cache.set('other', 1, { wait: value }),
  'ttlMs of set': (cache, value) => cache.set('other', 1, { ttlMs: value }),
  'the options of invalidate': (cache, value) => cache.invalidate('other', value),
  'the options of expire': (cache, value) => cache.expire('other', value),
  'wait of expire': (cache, value) => cache.expire('other', { wait: value }),
  'the options of clear': (cache, value) => cache.clear({ wait: value }),
}

type OpenBus = (redis: RedisConnection) => Bus

const DRIVERS: Record<string, OpenBus> = {
  memory: () => createMemoryBus(),
  Redis: (redis) => createBus({ redis, name: randomUUID(), instance: 'one' }),
}

const valid = {
  name: 'thing',
  load: async () => 1,
  parse: Number,
  tags: () => ['a'],
  ttlMs: 60_000,
  localTtlMs: 1_000,
  negativeTtlMs: 1_000,
  staleMs: 1_000,
  failSafeMs: 1_000,
  retryAfterMs: 100,
  jitter: 0.1,
  maxEntries: 10,
  maxBytes: 10_000,
  maxValueBytes: 1_000,
  loadTimeoutMs: 1_000,
  outage: 'bypass' as const,
  freeze: true,
}

describe.each(Object.entries(DRIVERS))('a cache in %s', (_driver, openBus) => {
  const busTest = test.extend('bus', async ({ redisUrl }, { onCleanup }) => {
    const redis = connectRedis({ url: redisUrl, name: 'hostile', deadlineMs: 2_000 })
    await redis.ready()
    const bus = openBus(redis)
    await bus.ready()
    onCleanup(async () => {
      await bus.close()
      await redis.close()
    })
    return bus
  })

  busTest.for(Object.entries(CALLS))(
    'a hostile value as %s of a cache is valid or a coded error',
    async ([, call], { bus }) => {
      const cache = createCache<unknown>({
        bus,
        name: 'thing',
        staleMs: 1,
        load: async () => 1,
        parse: toItself,
      })
      // Valid keys, see large-calls.race.test.ts.
      const except = ['an array of 200,000 strings']
      const raw = await findRawErrors((value) => call(cache, value), { isCoded, except })
      expect(raw).toEqual([])
      expect(await cache.get('a')).toBe(1)
      expect(cache.stats()).toMatchObject({ outages: 0 })
    },
  )

  busTest(
    'a hostile option of createCache is valid or a coded error that names it',
    async ({ bus }) => {
      const open = async (options: typeof valid & { bus: Bus }) => {
        const cache = createCache(options)
        await cache.get('a')
        cache.close()
      }
      const except = ['a function', 'a function that throws', 'an async function']
      const found = await findRawErrorsOfOptions({ bus, ...valid }, open, { isCoded })
      // Functions of the caller that throw: their errors are passed on.
      expect(found.filter((fault) => !except.some((name) => fault.includes(name)))).toEqual([])
    },
  )

  busTest(
    'options of createCache that are undefined are the defaults, and other options are a coded error',
    async ({ bus }) => {
      const none = Object.fromEntries(Object.keys(valid).map((name) => [name, undefined]))
      const { name, load, parse } = valid
      const cache = createCache({ ...none, bus, name, load, parse })
      expect(await cache.get('a')).toBe(1)
      expect(await findRawErrors((value) => createCache(value), { isCoded })).toEqual([])
    },
  )

  busTest.for([
    [
      'throws',
      () => {
        throw new Error('of the caller')
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('of the caller')
      },
    ],
  ] as const)('a loader that %s fails the read with its own error', async ([, load], { bus }) => {
    const cache = createCache({ bus, name: 'thing', load, parse: Number })
    await expect(cache.get('a')).rejects.toThrow('of the caller')
  })

  busTest('a loader may return a value instead of a promise', async ({ bus }) => {
    const cache = createCache<number>({
      bus,
      name: 'thing',
      load: () => JSON.parse('7'),
      parse: Number,
    })
    expect(await cache.get('a')).toBe(7)
  })

  const NEXT: Record<string, (next: NextCacheHandler, value: never) => unknown> = {
    'the key of get': (next, value) => next.get(value, []),
    'the soft tags of get': (next, value) => next.get('a', value),
    'the key of set': (next, value) => next.set(value, Promise.resolve(entryOf({}))),
    'the entry of set': (next, value) => next.set('a', Promise.resolve(value)),
    'the body of set': (next, value) => next.set('a', Promise.resolve(entryOf({ value }))),
    'the tags of set': (next, value) => next.set('a', Promise.resolve(entryOf({ tags: value }))),
    'expire of set': (next, value) => next.set('a', Promise.resolve(entryOf({ expire: value }))),
    'the time of set': (next, value) =>
      next.set('a', Promise.resolve(entryOf({ timestamp: value }))),
    'the tags of updateTags': (next, value) => next.updateTags(value),
    'the durations of updateTags': (next, value) => next.updateTags(['a'], value),
    'expire of updateTags': (next, value) => next.updateTags(['a'], { expire: value }),
  }

  busTest.for(Object.entries(NEXT))(
    'a hostile value as %s of a handler for Next is valid or a coded error',
    async ([, call], { bus }) => {
      const errors: unknown[] = []
      const onError = (error: unknown) => void errors.push(error)
      const next = createNextHandler({ bus: () => bus, onError })
      await next.set('good', Promise.resolve(entryOf({})))
      // Next waits for the entry itself.
      const except = ['a promise that never settles']
      const raw = await findRawErrors((value) => call(next, value), { isCoded, except })
      expect(raw).toEqual([])
      expect(errors.filter((error) => !isCoded(error))).toEqual([])
    },
  )
})

function entryOf(fields: object) {
  const times = { stale: 1, timestamp: Date.now(), expire: 60, revalidate: 30 }
  return { value: streamOf(new Uint8Array([1])), tags: ['a'], ...times, ...fields }
}

test('a hostile option of createMemoryBus and createNextHandler is valid or a coded error', async () => {
  const memory = { replicas: 1, name: 'memory', handlerTimeoutMs: 500, onError: () => undefined }
  expect(await findRawErrorsOfOptions(memory, createMemoryBus, { isCoded })).toEqual([])
  const next = {
    bus: () => createMemoryBus(),
    name: 'next',
    maxEntries: 1,
    maxBytes: 1,
    maxValueBytes: 1,
    onError: () => undefined,
  }
  expect(await findRawErrorsOfOptions(next, createNextHandler, { isCoded })).toEqual([])
})

test('updateTags accepts a year and Infinity, and an entry over maxValueBytes is not stored', async () => {
  const errors: unknown[] = []
  const bus = createMemoryBus()
  const onError = (error: unknown) => void errors.push(error)
  const next = createNextHandler({ bus: () => bus, maxValueBytes: 10, onError })
  for (const expire of [31_536_000, 0xff_ff_ff_fe, Infinity, 0, 0.5]) {
    await next.updateTags(['a'], { expire })
  }
  await next.set('large', Promise.resolve(entryOf({ value: streamOf(new Uint8Array(11)) })))
  expect(await next.get('large', [])).toBeUndefined()
  expect(errors).toEqual([expect.objectContaining({ code: 'too-large' })])
})
