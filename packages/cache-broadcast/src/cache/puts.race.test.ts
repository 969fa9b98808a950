import { contend, expect, until } from '@repo/testing'
import { busKeys } from '../bus/keys.ts'
import { type Cache, createCache } from '../index.ts'
import { type Instance, test } from '../open.fixture.ts'

const LOADED = 'loaded'

function cacheOn({ bus }: Instance) {
  return createCache<string>({ bus, name: 'text', parse: String, load: async () => LOADED })
}

function outcomes(ends: PromiseSettledResult<unknown>[]) {
  return ends.map((end) => (end.status === 'fulfilled' ? 'set' : end.reason.code))
}

async function valueOn(caches: Cache<string>[], key: string) {
  const values = await Promise.all(caches.map((cache) => cache.get(key)))
  return new Set(values)
}

test('sets of one tick are one entry of the log, and each is stored with its own value', async ({
  redisUrl,
  join,
}) => {
  const [a, b] = [await join(redisUrl, 'a'), await join(redisUrl, 'b')]
  const [first, second] = [cacheOn(a), cacheOn(b)]
  const keys = Array.from({ length: 64 }, (_, i) => `k${i}`)
  const deliveries = await Promise.all(keys.map((key) => first.set(key, `of ${key}`)))
  expect(new Set(deliveries.map(({ n }) => n)).size).toBe(1)
  expect(await second.getMany(keys)).toEqual(keys.map((key) => `of ${key}`))
})

test('I5: after two sets of a key in one tick, every instance serves the later value', async ({
  redisUrl,
  join,
}) => {
  const [a, b] = [await join(redisUrl, 'a'), await join(redisUrl, 'b')]
  const caches = [cacheOn(a), cacheOn(b)]
  const [first, second] = [caches[0]!, caches[1]!]
  for (let round = 0; round < 50; round += 1) {
    const [earlier, , later] = await Promise.all([
      first.set('k', `${round}, earlier`),
      first.set(`other ${round}`, 'other'),
      first.set('k', `${round}, later`),
      second.get('k'),
    ])
    expect(later.n).toBeGreaterThan(earlier.n)
    await second.set('done', '', { wait: 'everywhere' })
    expect(await valueOn(caches, 'k')).toEqual(new Set([`${round}, later`]))
  }
})

test('I5: 300 concurrent sets of 5 keys on three instances leave one value of each key', async ({
  redisUrl,
  join,
}) => {
  const instances = await Promise.all(['a', 'b', 'c'].map((id) => join(redisUrl, id)))
  const caches = instances.map(cacheOn)
  for (let round = 0; round < 10; round += 1) {
    await contend(300, (i) => caches[i % 3]!.set(`k${i % 5}`, `${round}, ${i}`))
    await caches[0]!.set('done', '', { wait: 'everywhere' })
    for (let key = 0; key < 5; key += 1) {
      const values = await valueOn(caches, `k${key}`)
      expect(values.size).toBe(1)
      expect([...values].join('')).toMatch(`${round}, `)
    }
  }
})

test('I1: after a set and an invalidation of one tick no instance serves an older value', async ({
  redisUrl,
  join,
}) => {
  const [a, b] = [await join(redisUrl, 'a'), await join(redisUrl, 'b')]
  const caches = [cacheOn(a), cacheOn(b)]
  const [first, second] = [caches[0]!, caches[1]!]
  for (let round = 0; round < 50; round += 1) {
    await first.set('k', 'older')
    await valueOn(caches, 'k')
    const calls = [
      () => first.set('k', `set ${round}`),
      () => first.invalidate('k'),
      () => second.get('k'),
    ]
    // Each order of the calls, in turns.
    const order = round % 2 === 0 ? calls : calls.toReversed()
    await Promise.all(order.map((call) => call()))
    await second.set('done', '', { wait: 'everywhere' })
    const values = await valueOn(caches, 'k')
    expect(values.size).toBe(1)
    expect([LOADED, `set ${round}`]).toContain([...values].join(''))
  }
})

test('a set that is refused before it is sent does not affect the other sets of its tick', async ({
  redisUrl,
  join,
}) => {
  const a = await join(redisUrl, 'a')
  const cache = createCache<unknown>({
    bus: a.bus,
    name: 'any',
    parse: (stored: unknown) => stored,
    load: async () => LOADED,
    maxValueBytes: 2_000,
  })
  const ends = await Promise.allSettled([
    cache.set('a', 1),
    cache.set('', 2),
    cache.set('b', 1n),
    cache.set('c', 'x'.repeat(2_001)),
    ...[Number.NaN, 0, -1, Infinity].map((ttlMs) => cache.set('d', 3, { ttlMs })),
    cache.set('e', 4, { ttlMs: 0.2 }),
  ])
  const bad = ['bad-option', 'bad-option', 'bad-option', 'bad-option']
  expect(outcomes(ends)).toEqual(['set', 'bad-key', 'unserialisable', 'too-large', ...bad, 'set'])
  expect(await cache.get('a')).toBe(1)
  expect(await cache.get('d')).toBe(LOADED)
})

test('sets of one tick that Redis rejects all fail, and none of their values is served', async ({
  redisUrl,
  join,
}) => {
  const a = await join(redisUrl, 'a')
  const cache = cacheOn(a)
  const { client } = a.redis
  const { log } = busKeys('test', a.redis)
  await until(async () => (await client.exists(log)) === 1 || void (await cache.set('first', '')))
  await client.rename(log, `${log}:saved`)
  await client.set(log, 'not a stream')
  const ends = await Promise.allSettled(['x', 'y', 'x'].map((key) => cache.set(key, 'refused')))
  expect(ends.every(({ status }) => status === 'rejected')).toBe(true)
  await client.rename(`${log}:saved`, log)
  expect(await cache.getMany(['x', 'y'])).toEqual([LOADED, LOADED])
})

test('a stored text with line feeds is read unchanged together with values without line feeds', async ({
  redisUrl,
  join,
}) => {
  const [a, b] = [await join(redisUrl, 'a'), await join(redisUrl, 'b')]
  const cache = createCache<unknown>({
    bus: a.bus,
    name: 'any',
    parse: (stored: unknown) => stored,
    load: async () => LOADED,
  })
  await cache.set('long', 'x'.repeat(5_000))
  await cache.set('short', 'line\nfeed')
  await cache.set('other', { v: 1 })
  // As another program may write it.
  const name = (await a.redis.client.keys('*other:v'))[0]!
  const stored = String(await a.redis.client.get(name))
  await a.redis.client.set(name, stored.replace('{', '{\n'), 'PX', 60_000)
  const reader = createCache<unknown>({
    bus: b.bus,
    name: 'any',
    parse: (value: unknown) => value,
    load: async () => 'not stored',
  })
  expect(await reader.get('other')).toEqual({ v: 1 })
  const expected = ['line\nfeed', 'not stored', 'x'.repeat(5_000)]
  expect(await reader.getMany(['short', 'missing', 'long'])).toEqual(expected)
})
