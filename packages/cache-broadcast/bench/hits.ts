import type { Contender, OpenContender } from '@repo/testing/bench'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { createCache as createManaged } from 'cache-manager'
import { Cacheable } from 'cacheable'
import { Loader } from 'layered-loader'
import { LRUCache } from 'lru-cache'
import { createClient } from 'redis'
import { createCache } from '../src/index.ts'
import type { OpenBus } from './open-bus.ts'

const keys = Array.from({ length: 1_000 }, (_, i) => `user:${i}`)
const value = { id: 'u', name: 'Ada Lovelace', roles: ['user', 'admin'], orgId: 'o1' }
const keyOf = (i: number) => keys[i % keys.length] ?? ''
const HOUR_MS = 3_600_000
const MAX_ENTRIES = 10_000

/** Every contender has the same thousand values in the memory of its process. */
export function hitContenders(openBus: OpenBus): Record<string, OpenContender> {
  async function ours(context: Parameters<OpenBus>[0]) {
    const { bus, ...rest } = await openBus(context)
    const cache = createCache({
      bus,
      name: 'hits',
      localTtlMs: 600_000,
      load: async () => undefined,
      parse: () => value,
    })
    for (const key of keys) await cache.set(key, value)
    return { cache, rest }
  }
  async function layered() {
    const loader = new Loader({
      inMemoryCache: { ttlInMsecs: HOUR_MS, maxItems: MAX_ENTRIES, cacheId: 'bench' },
      dataSourceGetOneFn: async () => value,
    })
    for (const key of keys) await loader.get(key)
    return loader
  }
  const bento = (serialize: boolean) => async () => {
    const driver = memoryDriver({ maxItems: MAX_ENTRIES, serialize })
    const cache = new BentoCache({
      default: 'memory',
      stores: { memory: bentostore().useL1Layer(driver) },
    })
    for (const key of keys) await cache.set({ key, value, ttl: '1h' })
    return { ...awaited((key) => cache.get({ key })), close: () => cache.disconnectAll() }
  }
  const map = new Map(keys.map((key) => [key, value]))
  return {
    'Map.get': () => sync((key) => map.get(key)),
    'async Map.get': () => awaited(async (key) => map.get(key)),
    'lru-cache get': () => {
      const lru = new LRUCache<string, typeof value>({ max: MAX_ENTRIES, ttl: HOUR_MS })
      for (const key of keys) lru.set(key, value)
      return sync((key) => lru.get(key))
    },
    'ours peek': async (context) => {
      const { cache, rest } = await ours(context)
      return { ...sync((key) => cache.peek(key)), ...rest }
    },
    'ours get': async (context) => {
      const { cache, rest } = await ours(context)
      return { ...awaited((key) => cache.get(key)), ...rest }
    },
    'layered-loader getInMemoryOnly': async () => {
      const loader = await layered()
      return sync((key) => loader.getInMemoryOnly(key))
    },
    'layered-loader get': async () => {
      const loader = await layered()
      return awaited((key) => loader.get(key))
    },
    'bentocache get, raw': bento(false),
    'bentocache get, default': bento(true),
    'cacheable get': async () => {
      const cache = new Cacheable()
      for (const key of keys) await cache.set(key, value)
      return awaited((key) => cache.get(key))
    },
    'cache-manager get': async () => {
      const cache = createManaged()
      for (const key of keys) await cache.set(key, value)
      return awaited((key) => cache.get(key))
    },
    'node-redis client cache': async ({ redisUrl }) => {
      const clientSideCache = { ttl: HOUR_MS, maxEntries: MAX_ENTRIES }
      const client = createClient({ url: redisUrl, RESP: 3, clientSideCache })
      await client.connect()
      for (const key of keys) {
        await client.set(key, JSON.stringify(value))
        await client.get(key)
      }
      return { ...awaited((key) => client.get(key)), close: () => client.close() }
    },
  }
}

function assertHit(found: unknown) {
  if (found === undefined || found === null) throw new Error('A read did not hit')
}

function sync(read: (key: string) => unknown): Contender {
  return {
    run: (i) => assertHit(read(keyOf(i))),
    batch(n) {
      for (let i = 0; i < n; i += 1) assertHit(read(keyOf(i)))
      return undefined
    },
  }
}

function awaited(read: (key: string) => Promise<unknown>): Contender {
  return {
    run: async (i) => assertHit(await read(keyOf(i))),
    async batch(n) {
      for (let i = 0; i < n; i += 1) assertHit(await read(keyOf(i)))
    },
  }
}
