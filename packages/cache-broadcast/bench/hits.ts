import type { Subject } from '@repo/testing/measure'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { createCache as createManaged } from 'cache-manager'
import { Cacheable } from 'cacheable'
import { Loader } from 'layered-loader'
import { LRUCache } from 'lru-cache'
import { createClient } from 'redis'
import type { Cache } from '../src/index.ts'

const keys = Array.from({ length: 1_000 }, (_, i) => `user:${i}`)
const value = { id: 'u', name: 'Ada Lovelace', roles: ['user', 'admin'], orgId: 'o1' }
const keyOf = (i: number) => keys[i % keys.length] ?? ''

function missed(name: string): never {
  throw new Error(`${name} did not hit`)
}

function sync(name: string, read: (key: string) => unknown): Subject {
  return {
    name,
    n: 1_000_000,
    run(n) {
      for (let i = 0; i < n; i += 1) if (read(keyOf(i)) === undefined) missed(name)
    },
  }
}
function awaited(name: string, n: number, read: (key: string) => unknown): Subject {
  return {
    name,
    n,
    async run(times) {
      for (let i = 0; i < times; i += 1) if ((await read(keyOf(i))) === undefined) missed(name)
    },
  }
}

/** Hits in this process's memory, ours beside each peer's; all hold the same thousand values. */
export async function hitSubjects(
  cache: Cache<typeof value>,
  redisUrl: string,
): Promise<{ subjects: Subject[]; close: () => Promise<void> }> {
  const map = new Map(keys.map((key) => [key, value]))
  const lru = new LRUCache<string, typeof value>({ max: 10_000, ttl: 3_600_000 })
  const layered = new Loader({
    inMemoryCache: { ttlInMsecs: 3_600_000, maxItems: 10_000, cacheId: 'bench' },
    dataSourceGetOneFn: async () => value,
  })
  const driver = { maxItems: 10_000 }
  const store = (serialize: boolean) =>
    bentostore().useL1Layer(memoryDriver({ ...driver, serialize }))
  const bento = new BentoCache({
    default: 'json',
    stores: { json: store(true), raw: store(false) },
  })
  const cacheable = new Cacheable()
  const managed = createManaged()
  const tracked = createClient({
    url: redisUrl,
    RESP: 3,
    clientSideCache: { ttl: 3_600_000, maxEntries: 10_000 },
  })
  await tracked.connect()
  for (const key of keys) {
    lru.set(key, value)
    await cache.set(key, value)
    await layered.get(key)
    await bento.use('json').set({ key, value, ttl: '1h' })
    await bento.use('raw').set({ key, value, ttl: '1h' })
    await cacheable.set(key, value)
    await managed.set(key, value)
    await tracked.set(key, JSON.stringify(value))
    await tracked.get(key)
  }

  const bare = async (key: string) => map.get(key)
  return {
    subjects: [
      sync('Map.get', (key) => map.get(key)),
      sync('lru-cache get', (key) => lru.get(key)),
      sync('layered-loader getInMemoryOnly', (key) => layered.getInMemoryOnly(key)),
      sync('ours peek', (key) => cache.peek(key)),
      awaited('await async Map.get', 300_000, bare),
      awaited('ours get', 300_000, (key) => cache.get(key)),
      awaited('layered-loader get', 300_000, (key) => layered.get(key)),
      awaited('bentocache get, raw', 40_000, (key) => bento.use('raw').get({ key })),
      awaited('bentocache get, default', 40_000, (key) => bento.use('json').get({ key })),
      awaited('node-redis client cache', 20_000, (key) => tracked.get(key)),
      awaited('cacheable get', 10_000, (key) => cacheable.get(key)),
      awaited('cache-manager get', 10_000, (key) => managed.get(key)),
    ],
    async close() {
      await bento.disconnectAll()
      await tracked.close()
    },
  }
}
