import { expect, test, vi } from 'vitest'
import type { CacheOptions } from '../cache/options.ts'
import type { Cache } from '../cache/types.ts'

/** More keys than one call of a store can carry. */
const MANY = 20_000

/** Prevents the event loop from running, as garbage collection or a CPU limit does. */
function blockEventLoop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** Makes a store refuse every call, until the result is called. */
export type Refuse = () => Promise<() => Promise<void>>

/**
 * The part of the suite for conditions of production: a process that pauses, calls with thousands of
 * keys, and a store that answers with errors.
 * @param refuse for a driver with a store
 */
export function describeConditions(
  openCache: (options: Partial<CacheOptions<unknown>>) => Promise<{ cache: Cache<unknown> }>,
  refuse?: Refuse,
): void {
  test('a pause of 500 ms with 40 reads in flight fails no read and is no outage', async () => {
    const { cache } = await openCache({ load: async (key) => `value of ${key}` })
    const keys = Array.from({ length: 40 }, (_, i) => `key-${i}`)
    await cache.getMany(keys.slice(0, 20))
    const reads = Promise.all(keys.map((key) => cache.get(key)))
    await Promise.resolve()
    blockEventLoop(500)
    expect(await reads).toEqual(keys.map((key) => `value of ${key}`))
    expect(await cache.get('after')).toBe('value of after')
    expect(cache.stats()).toMatchObject({ loads: 41, loadFailures: 0, outages: 0, refused: 0 })
  })

  test(`getMany of ${MANY} cold keys loads each key once, and a second call loads none`, async () => {
    const { cache } = await openCache({ load: async (key) => key, maxEntries: MANY * 2 })
    const keys = Array.from({ length: MANY }, (_, i) => `key-${i}`)
    expect(await cache.getMany(keys)).toEqual(keys)
    expect(await cache.getMany(keys)).toEqual(keys)
    expect(cache.stats()).toMatchObject({ loads: MANY, refused: 0, outages: 0 })
  })

  test(`one invalidation of ${MANY} keys with a barrier covers every key`, async () => {
    let version = 1
    const { cache } = await openCache({ load: async () => version, maxEntries: MANY * 2 })
    const keys = Array.from({ length: MANY }, (_, i) => `key-${i}`)
    await cache.getMany(keys)
    version = 2
    const delivery = await cache.invalidate(keys, { wait: 'everywhere' })
    expect(delivery).toMatchObject({ outcome: 'everywhere', failed: [] })
    expect(new Set(await cache.getMany(keys))).toEqual(new Set([2]))
  })

  test('500 concurrent barriers each cover their key', async () => {
    const version = new Map<string, number>()
    const { cache } = await openCache({ load: async (key) => version.get(key) ?? 0 })
    const keys = Array.from({ length: 500 }, (_, i) => `key-${i}`)
    await cache.getMany(keys)
    const reads = keys.map(async (key, i) => {
      version.set(key, i + 1)
      await cache.invalidate(key, { wait: 'everywhere' })
      return cache.get(key)
    })
    expect(await Promise.all(reads)).toEqual(keys.map((_, i) => i + 1))
  })

  test.runIf(refuse)(
    'while Redis refuses all calls, reads load from the source, changes are rejected with a code, and stats count outages',
    async () => {
      let version = 1
      const { cache } = await openCache({ load: async (key) => `${key} ${version}` })
      expect(await cache.get('a')).toBe('a 1')
      const accept = await refuse?.()
      try {
        version = 2
        await expect(cache.invalidate('a')).rejects.toMatchObject({ code: expect.any(String) })
        for (let i = 0; i < 20; i += 1) expect(await cache.get(`cold-${i}`)).toBe(`cold-${i} 2`)
        expect(cache.stats().outages + cache.stats().refused).toBeGreaterThanOrEqual(20)
      } finally {
        await accept?.()
      }
      await vi.waitFor(() => cache.invalidate('a', { wait: 'everywhere' }), { timeout: 20_000 })
      expect(await cache.get('a')).toBe('a 2')
      expect(await cache.get('cold-1')).toBe('cold-1 2')
    },
  )
}
