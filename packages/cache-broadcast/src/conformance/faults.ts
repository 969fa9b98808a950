import { expect, test } from 'vitest'
import type { Bus } from '../bus/types.ts'
import type { CacheOptions } from '../cache/options.ts'
import type { Cache } from '../cache/types.ts'

function code(name: string) {
  return expect.objectContaining({ code: name })
}

/** Tests of invalid arguments and of failing code of the caller. */
export function describeFaults(
  openBus: () => Promise<Bus>,
  openCache: (
    options?: Partial<CacheOptions<unknown>>,
  ) => Promise<{ bus: Bus; cache: Cache<unknown> }>,
): void {
  test('values without JSON, large values and invalid keys are refused with a code, and other keys work', async () => {
    const { cache } = await openCache()
    await expect(cache.set('b', 1n)).rejects.toEqual(code('unserialisable'))
    await expect(cache.set('b', () => 1)).rejects.toEqual(code('unserialisable'))
    await expect(cache.set('b', 'x'.repeat(2 ** 20 + 1))).rejects.toEqual(code('too-large'))
    await expect(cache.get('x'.repeat(513))).rejects.toEqual(code('bad-key'))
    await expect(cache.invalidate(['a', ''])).rejects.toEqual(code('bad-key'))
    expect(await cache.get('a')).toEqual({ v: 1 })
  })

  test('a name that is not well-formed text is refused in every call, and changes nothing', async () => {
    const { bus, cache } = await openCache({ tags: () => ['a'] })
    await cache.get('a')
    const bad = code('bad-key')
    for (const name of ['\ud800', 'a\udfff', 'x'.repeat(1_025)]) {
      await expect(cache.get(name)).rejects.toEqual(bad)
      await expect(cache.getMany(['a', name])).rejects.toEqual(bad)
      await expect(cache.set(name, 1)).rejects.toEqual(bad)
      await expect(cache.expire(name)).rejects.toEqual(bad)
      await expect(bus.invalidate('thing', ['a', name])).rejects.toEqual(bad)
      await expect(bus.invalidateTag(['a', name])).rejects.toEqual(bad)
      await expect(bus.expireTag(name)).rejects.toEqual(bad)
      await expect(bus.clear(name)).rejects.toEqual(code('bad-option'))
    }
    expect(cache.peek('a')).toEqual({ v: 1 })
  })

  test('a loader that hangs ends with load-timeout, and its signal is aborted', async () => {
    let signal: AbortSignal | undefined
    const { cache } = await openCache({
      loadTimeoutMs: 50,
      load: (_, context) => {
        signal = context.signal
        return new Promise(() => undefined)
      },
    })
    await expect(cache.get('a')).rejects.toMatchObject({ code: 'load-timeout' })
    expect(signal?.aborted).toBe(true)
  })

  test('I10: after 30 loads a cache with maxEntries 10 has 10 entries in memory', async () => {
    const { cache } = await openCache({ maxEntries: 10, load: async (key) => key })
    for (let i = 0; i < 30; i += 1) await cache.get(`k${i}`)
    expect(cache.stats()).toMatchObject({ entries: 10, evicted: 20 })
  })

  test('handlers receive events in order, and a handler that throws does not affect another handler', async () => {
    const bus = await openBus()
    const seen: unknown[] = []
    bus.on('hello', () => {
      throw new Error('not me')
    })
    const stop = bus.on('hello', (data) => void seen.push(data))
    for (let i = 0; i < 5; i += 1) await bus.emit('hello', { i })
    const delivery = await bus.emit('hello', null, { wait: 'everywhere' })
    expect(delivery).toMatchObject({ outcome: 'everywhere', acked: [] })
    expect(delivery.outcome === 'everywhere' && delivery.failed).toHaveLength(1)
    expect(seen).toEqual([{ i: 0 }, { i: 1 }, { i: 2 }, { i: 3 }, { i: 4 }, null])
    stop()
    await bus.emit('hello', 'unheard', { wait: 'everywhere' })
    expect(seen).toHaveLength(6)
  })

  test('calls of a closed bus are rejected with the code closed', async () => {
    const { bus, cache } = await openCache()
    await bus.close()
    await expect(bus.emit('hello')).rejects.toMatchObject({ code: 'closed' })
    await expect(cache.invalidate('a')).rejects.toMatchObject({ code: 'closed' })
  })

  test('a closed cache is empty, and its calls are rejected with the code closed', async () => {
    const { cache } = await openCache()
    await cache.get('a')
    cache.close()
    expect(cache.peek('a')).toBeUndefined()
    await expect(cache.get('a')).rejects.toMatchObject({ code: 'closed' })
  })
}
