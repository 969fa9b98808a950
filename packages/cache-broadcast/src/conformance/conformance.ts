import { afterEach, describe, expect, test } from 'vitest'
import type { Bus } from '../bus/types.ts'
import { createCache } from '../cache/cache.ts'
import type { CacheOptions } from '../cache/options.ts'
import { describeConditions, type Refuse } from './conditions.ts'
import { describeFaults } from './faults.ts'
import { describeValues } from './values.ts'

/** Opens a new bus that shares nothing with earlier ones. */
export type OpenBus = () => Promise<Bus>

/**
 * Declares the tests that each driver of the bus must pass. A test file calls it with the driver.
 * @param refuse makes the store refuse every call, for a driver with a store
 */
export function describeConformance(driver: string, open: OpenBus, refuse?: Refuse): void {
  describe(`a bus in ${driver}`, () => {
    const closing: (() => Promise<void>)[] = []
    afterEach(async () => {
      for (const close of closing.splice(0)) await close()
    })

    async function openBus() {
      const bus = await open()
      await bus.ready()
      closing.push(() => bus.close())
      return bus
    }

    async function openCache(options: Partial<CacheOptions<unknown>> = {}) {
      const bus = await openBus()
      const source = new Map<string, unknown>([['a', { v: 1 }]])
      const loads: string[] = []
      const cache = createCache<unknown>({
        bus,
        name: 'thing',
        parse: (stored) => stored,
        async load(key) {
          loads.push(key)
          return source.get(key)
        },
        ...options,
      })
      return { bus, cache, source, loads }
    }

    test('a value is loaded once, and peek then returns it', async () => {
      const { cache, loads } = await openCache()
      expect(cache.peek('a')).toBeUndefined()
      expect(await cache.get('a')).toEqual({ v: 1 })
      expect(await cache.get('a')).toEqual({ v: 1 })
      expect(cache.peek('a')).toEqual({ v: 1 })
      expect(loads).toEqual(['a'])
    })

    test('50 concurrent callers of one key start one load', async () => {
      const { cache, loads } = await openCache()
      const got = await Promise.all(Array.from({ length: 50 }, () => cache.get('a')))
      expect(new Set(got)).toEqual(new Set([{ v: 1 }]))
      expect(loads).toEqual(['a'])
    })

    test('I2: a value whose key is invalidated during its load is not stored', async () => {
      const began = Promise.withResolvers<void>()
      const goOn = Promise.withResolvers<void>()
      const { cache, source } = await openCache({
        async load() {
          const value = source.get('a')
          began.resolve()
          await goOn.promise
          return value
        },
      })
      const first = cache.get('a')
      await began.promise
      source.set('a', { v: 2 })
      await cache.invalidate('a')
      const second = cache.get('a')
      goOn.resolve()
      expect(await first).toEqual({ v: 1 })
      expect(await second).toEqual({ v: 2 })
      expect(await cache.get('a')).toEqual({ v: 2 })
    })

    test('I7: a failing loader runs once for 30 concurrent callers, and each receives the error', async () => {
      let runs = 0
      const { cache } = await openCache({
        async load() {
          runs += 1
          throw new Error('ill')
        },
      })
      const got = await Promise.allSettled(Array.from({ length: 30 }, () => cache.get('a')))
      expect(
        got.every((result) => result.status === 'rejected' && result.reason.message === 'ill'),
      ).toBe(true)
      expect(runs).toBe(1)
    })

    test.each([null, 0, '', false, [], {}])(
      'I8: %j is a value that is loaded once',
      async (value) => {
        const { cache, source, loads } = await openCache()
        source.set('b', value)
        expect(await cache.get('b')).toEqual(value)
        expect(await cache.get('b')).toEqual(value)
        expect(cache.peek('b')).toEqual(value)
        expect(loads).toEqual(['b'])
      },
    )

    test('I8: the absence of a value is cached', async () => {
      const { cache, loads } = await openCache()
      expect(await cache.get('none')).toBeUndefined()
      expect(await cache.get('none')).toBeUndefined()
      expect(loads).toEqual(['none'])
    })

    test('getMany returns set, loaded and absent values in the order of the keys', async () => {
      const { cache, source } = await openCache()
      source.set('c', { v: 3 })
      await cache.set('b', { v: 2 })
      expect(await cache.getMany(['c', 'none', 'a', 'b'])).toEqual([
        { v: 3 },
        undefined,
        { v: 1 },
        { v: 2 },
      ])
    })

    test('a tag invalidates its values, clear invalidates all values, and values set later stay', async () => {
      const { bus, cache, source, loads } = await openCache({ tags: (_, key) => [`tag:${key}`] })
      source.set('b', { v: 1 })
      await cache.getMany(['a', 'b'])
      await bus.invalidateTag('tag:a')
      await cache.getMany(['a', 'b'])
      expect(loads).toEqual(['a', 'b', 'a'])
      await cache.clear()
      await cache.set('b', { v: 9 })
      expect(await cache.getMany(['a', 'b'])).toEqual([{ v: 1 }, { v: 9 }])
      expect(loads).toEqual(['a', 'b', 'a', 'a'])
    })

    test('I1: a tag invalidates a cache that declares no tags if another cache of its name declares them', async () => {
      const { bus, cache, source } = await openCache({ tags: () => ['t'] })
      const untagged = createCache<unknown>({
        bus,
        name: 'thing',
        parse: (stored) => stored,
        load: async (key) => source.get(key),
      })
      for (const v of [2, 3, 4]) {
        await Promise.all([untagged.get('a'), cache.get('a')])
        source.set('a', { v })
        await bus.invalidateTag('t', { wait: 'everywhere' })
        expect([await untagged.get('a'), await cache.get('a')]).toEqual([{ v }, { v }])
      }
    })

    test('an expired value is served during its refresh, and an invalidated value is not served', async () => {
      const { cache, source, loads } = await openCache({ staleMs: 60_000 })
      await cache.get('a')
      source.set('a', { v: 2 })
      await cache.expire('a')
      expect(await cache.get('a')).toEqual({ v: 1 })
      await expect.poll(() => cache.get('a')).toEqual({ v: 2 })
      expect(loads).toEqual(['a', 'a'])
      source.set('a', { v: 3 })
      await cache.invalidate('a')
      expect(await cache.get('a')).toEqual({ v: 3 })
    })

    test('an expired value is served when its load fails, and an invalidated value is not served', async () => {
      let ill = false
      const { cache } = await openCache({
        failSafeMs: 60_000,
        async load() {
          if (ill) throw new Error('ill')
          return { v: 1 }
        },
      })
      await cache.get('a')
      await cache.expire('a')
      ill = true
      expect(await cache.get('a')).toEqual({ v: 1 })
      await cache.invalidate('a')
      await expect(cache.get('a')).rejects.toThrow('ill')
    })

    test('a caller cannot change a cached value', async () => {
      const { cache } = await openCache({ load: async () => ({ deep: { list: [1] } }) })
      const value = await cache.get('a')
      expect(Object.isFrozen(value)).toBe(true)
      expect(() => Reflect.get(value ?? {}, 'deep').list.push(2)).toThrow('not extensible')
    })

    describeFaults(openBus, openCache)
    describeValues(openCache)
    describeConditions(openCache, refuse)
  })
}
