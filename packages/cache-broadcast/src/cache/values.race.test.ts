import { expect } from '@repo/testing'
import { cacheFigures, createBus, createCache } from '../index.ts'
import { test } from '../open.fixture.ts'

test('a value does not depend on which of three instances loaded it', async ({
  redisUrl,
  join,
}) => {
  const instances = await Promise.all(['a', 'b', 'c'].map((id) => join(redisUrl, id)))
  let loads = 0
  const caches = instances.map(({ bus }) =>
    createCache<unknown>({
      bus,
      name: 'dated',
      parse: (stored) => stored,
      async load(key) {
        loads += 1
        return { key, at: new Date(0), none: undefined, n: Number.NaN }
      },
    }),
  )
  for (let round = 0; round < 30; round += 1) {
    const key = `k${round}`
    const first = await caches[round % 3]!.get(key)
    expect(first).toStrictEqual({ key, at: '1970-01-01T00:00:00.000Z', n: null })
    for (const cache of caches) {
      expect(await cache.get(key)).toStrictEqual(first)
      expect(cache.peek(key)).toStrictEqual(first)
    }
  }
  expect(loads).toBe(30)
})

test('a value that another release stored in another shape is loaded again, counted, and logged once', async ({
  redisUrl,
  join,
}) => {
  const { redis } = await join(redisUrl, 'first')
  const lines: object[] = []
  const log = { info: () => undefined, warn: (fields: object) => void lines.push(fields) }
  const buses = await Promise.all(
    ['n', 'n+1', 'n-again'].map(async (instance) => {
      const bus = createBus({ redis, name: 'shapes', instance, log })
      await bus.ready()
      return bus
    }),
  )
  const [before, after, again] = [0, 1, 0].map((release, i) =>
    createCache({
      bus: buses[i]!,
      name: 'shaped',
      parse(stored) {
        if (typeof stored === 'object' && stored !== null && `v${release}` in stored) return stored
        throw new TypeError(`no v${release}`)
      },
      load: async () => ({ [`v${release}`]: 1 }),
    }),
  )
  for (let round = 0; round < 5; round += 1) {
    const key = `k${round}`
    expect(await before!.get(key)).toEqual({ v0: 1 })
    expect(await after!.get(key)).toEqual({ v1: 1 })
    expect(await again!.get(key)).toEqual({ v0: 1 })
  }
  expect(before!.stats()).toMatchObject({ loads: 5, unreadable: 0, outages: 0 })
  expect(after!.stats()).toMatchObject({ loads: 5, unreadable: 5, outages: 0 })
  expect(again!.stats()).toMatchObject({ loads: 5, unreadable: 5, outages: 0 })
  const figure = cacheFigures(after!).find(({ name }) => name.includes('unreadable'))
  expect(figure?.read()).toBe(5)
  expect(lines).toEqual([
    expect.objectContaining({ event: 'cache.unreadable', cache: 'shaped', reason: 'no v1' }),
    expect.objectContaining({ event: 'cache.unreadable', cache: 'shaped', reason: 'no v0' }),
  ])
  await Promise.all(buses.map((bus) => bus.close()))
})
