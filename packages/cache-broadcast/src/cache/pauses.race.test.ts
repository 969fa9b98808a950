import { setTimeout as pause } from 'node:timers/promises'
import { blockEventLoop, contend, expect, until } from '@repo/testing'
import { Redis } from 'ioredis'
import { createMemoryBus } from '../bus/memory-bus.ts'
import { createCache } from '../index.ts'
import { type Instance, test } from '../open.fixture.ts'

function cacheOf({ bus }: Pick<Instance, 'bus'>, options: object = {}) {
  return createCache<string>({
    bus,
    name: 'value',
    parse: String,
    load: async (key) => `loaded ${key}`,
    ...options,
  })
}

test('a pause of 500 ms with reads and loads in flight is no outage, and all values are stored', async ({
  redisUrl,
  join,
}) => {
  const [a, b] = await Promise.all(['a', 'b'].map((id) => join(redisUrl, id)))
  const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
  await cacheOf(a!).getMany(keys)
  for (let round = 0; round < 3; round += 1) {
    // The second level has the first half only.
    const reader = cacheOf(b!)
    const all = [...keys, ...keys.map((key) => `${key}-${round}`)]
    const reading = Promise.all(all.map((key) => reader.get(key)))
    await Promise.resolve()
    blockEventLoop(500)
    expect(await reading).toEqual(all.map((key) => `loaded ${key}`))
    const after = await contend(100, (i) => reader.get(`after-${round}-${i}`))
    expect(after.every(({ status }) => status === 'fulfilled')).toBe(true)
    expect(reader.stats()).toMatchObject({ outages: 0, refused: 0, loadFailures: 0, loads: 140 })
    reader.close()
  }
})

test('a load that ends during a pause of the process does not time out', async () => {
  const cache = cacheOf(
    { bus: createMemoryBus() },
    {
      loadTimeoutMs: 200,
      async load() {
        await pause(50)
        return 'in time'
      },
    },
  )
  const reading = cache.get('k')
  await Promise.resolve()
  blockEventLoop(500)
  expect(await reading).toBe('in time')
})

test('I2: an instance that is stopped during a load for longer than its claim stores no older value', async ({
  redisUrl,
  join,
  replicas,
}) => {
  const [slow] = await replicas(1, { program: new URL('slow-loader.fixture.ts', import.meta.url) })
  await slow!.call('open', redisUrl)
  const source = new Redis(redisUrl)
  const others = await Promise.all(['b', 'c'].map((id) => join(redisUrl, id)))
  const load = async (key: string) => String(await source.get(`source-${key}`))
  const [b, c] = others.map((instance) => cacheOf(instance, { load }))
  for (let round = 0; round < 3; round += 1) {
    const key = `slow-${round}`
    await source.set(`source-${key}`, 'older')
    const loading = slow!.call('get', key)
    await until(() => source.exists(`began-${key}`))
    slow!.stop()
    await source.set(`source-${key}`, 'newer')
    // It waits as long as the claim stands, then loads the value itself.
    expect(await b!.get(key)).toBe('newer')
    expect(b!.stats()).toMatchObject({ loads: round + 1, refused: 0 })
    slow!.continue()
    expect(await loading).toEqual({ value: 'older', refused: round + 1 })
    expect(await c!.get(key)).toBe('newer')
    expect(await slow!.call('get', key)).toMatchObject({ value: 'newer' })
  }
  source.disconnect()
})
