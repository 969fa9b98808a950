import { randomUUID } from 'node:crypto'
import { connectRedis, type RedisConnection } from '@repo/redis'
import { describe, expect, findRawErrors, findRawErrorsOfOptions, test } from '@repo/testing'
import { type Bus, CacheError, createBus, createCache } from '../index.ts'
import { createMemoryBus } from './memory-bus.ts'

const isCoded = (error: unknown) => error instanceof CacheError

/** Each makes one call of a bus with a hostile value in one place. */
const CALLS: Record<string, (bus: Bus, value: never) => unknown> = {
  'the name of an event': (bus, value) => bus.emit(value, 1),
  'the data of an event': (bus, value) => bus.emit('hostile', value),
  'the options of emit': (bus, value) => bus.emit('hostile', 1, value),
  'wait of emit': (bus, value) => bus.emit('hostile', 1, { wait: value }),
  'the event of on': (bus, value) => bus.on(value, () => undefined),
  'the handler of on': (bus, value) => bus.on('unused', value),
  'the subscription of on': (bus, value) => bus.on('unused', () => undefined, value),
  'onResync of on': (bus, value) => bus.on('unused', () => undefined, { onResync: value }),
  'the cache of invalidate': (bus, value) => bus.invalidate(value, 'other'),
  'the keys of invalidate': (bus, value) => bus.invalidate('other', value),
  'the options of invalidate': (bus, value) => bus.invalidate('other', 'a', value),
  'wait of invalidate': (bus, value) => bus.invalidate('other', 'a', { wait: value }),
  'holdMs of invalidate': (bus, value) => bus.invalidate('other', 'a', { holdMs: value }),
  'the tags of invalidateTag': (bus, value) => bus.invalidateTag(value),
  'wait of invalidateTag': (bus, value) => bus.invalidateTag('other', { wait: value }),
  'the options of expireTag': (bus, value) => bus.expireTag('other', value),
  'expireMs of expireTag': (bus, value) => bus.expireTag('other', { expireMs: value }),
  'the cache of clear': (bus, value) => bus.clear(value),
  'wait of clear': (bus, value) => bus.clear('other', { wait: value }),
  'the timeout of ready': (bus, value) => bus.ready(value),
}

type OpenBus = (redis: RedisConnection) => Bus

const DRIVERS: Record<string, OpenBus> = {
  memory: () => createMemoryBus(),
  Redis: (redis) => createBus({ redis, name: randomUUID(), instance: 'one' }),
}

describe.each(Object.entries(DRIVERS))('a bus in %s', (_driver, openBus) => {
  test.for(Object.entries(CALLS))(
    'a hostile value as %s is valid or a coded error, and drops no cached value',
    async ([, call], { redisUrl }) => {
      const redis = connectRedis({ url: redisUrl, name: 'hostile', deadlineMs: 2_000 })
      await redis.ready()
      const bus = openBus(redis)
      try {
        await bus.ready()
        const cache = createCache({ bus, name: 'thing', load: async () => 1, parse: Number })
        await cache.get('a')
        expect(await findRawErrors((value) => call(bus, value), { isCoded })).toEqual([])
        const delivery = await bus.emit('last', 1, { wait: 'everywhere' })
        expect(delivery).toMatchObject({ outcome: 'everywhere', lapsed: [], failed: [] })
        expect(bus.health()).toMatchObject({ resyncs: 0, unknown: 0 })
        await expect.poll(() => cache.peek('a')).toBe(1)
      } finally {
        await bus.close()
        await redis.close()
      }
    },
  )
})

test('a hostile option of createBus is valid or a coded error that names it', async ({
  redisUrl,
}) => {
  const redis = connectRedis({ url: redisUrl, name: 'hostile' })
  await redis.ready()
  const log = { info: () => undefined, warn: () => undefined }
  const numbers = { maxStaleMs: 300, claimMs: 300, maxMessageBytes: 65_536 }
  const valid = { redis, name: 'hostile-options', instance: 'one', ...numbers, log }
  const open = async (options: typeof valid) => {
    const bus = createBus(options)
    await bus.ready()
    await bus.close()
  }
  expect(await findRawErrorsOfOptions(valid, open, { isCoded })).toEqual([])
  await redis.close()
})
