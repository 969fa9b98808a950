import { inFlight, type Subject } from '@repo/testing/measure'
import { bentostore, BentoCache } from 'bentocache'
import { redisDriver } from 'bentocache/drivers/redis'
import { Redis } from 'ioredis'
import { Loader, RedisCache } from 'layered-loader'
import { createClient } from 'redis'
import { type Bus, createCache } from '../src/index.ts'

const value = { id: 'u', name: 'Ada Lovelace', roles: ['user', 'admin'], orgId: 'o1' }
const text = JSON.stringify(value)
const COUNT = 4_000
const keyOf = (i: number) => `k${i % COUNT}`

function subject(name: string, width: number, read: (key: string) => Promise<unknown>): Subject {
  return {
    name: `${name} ${width}`,
    n: 3_000,
    run: (n) => inFlight(n, width, (i) => read(keyOf(i))),
  }
}

/** Hits in Redis, misses with a load, and invalidations, beside the bare client and peers. */
export async function storeSubjects(
  bus: Bus,
  redisUrl: string,
): Promise<{ subjects: Subject[]; close: () => Promise<void> }> {
  const parse = (stored: unknown) => ({ ...value, stored })
  // Too small to hit in memory: every read goes to Redis.
  const second = createCache({
    bus,
    name: 'second',
    load: async () => undefined,
    parse,
    maxEntries: 1,
  })
  const missing = createCache({
    bus,
    name: 'missing',
    load: async () => ({ ...value, stored: 1 }),
    parse,
  })
  const bare = new Redis(redisUrl)
  const pipelined = new Redis(redisUrl, { enableAutoPipelining: true })
  const layered = new Loader<typeof value | null>({
    asyncCache: new RedisCache(bare, { json: true, prefix: 'layered', ttlInMsecs: 600_000 }),
    dataSourceGetOneFn: async () => value,
  })
  const bento = new BentoCache({
    default: 'two',
    stores: {
      two: bentostore().useL2Layer(
        redisDriver({ connection: { host: '127.0.0.1', port: Number(new URL(redisUrl).port) } }),
      ),
    },
  })
  const tracked = createClient({ url: redisUrl, RESP: 3 })
  await tracked.connect()
  for (let i = 0; i < COUNT; i += 1) await pipelined.set(`bare:k${i}`, text)
  await inFlight(COUNT, 64, (i) => second.set(keyOf(i), { ...value, stored: 1 }))
  await inFlight(COUNT, 64, (i) => layered.get(keyOf(i)))
  await inFlight(COUNT, 64, (i) => bento.set({ key: keyOf(i), value, ttl: '1h' }))

  let made = 0
  const fresh = () => `m${(made += 1)}`
  const subjects = [1, 64].flatMap((width) => [
    subject('L2 hit: ioredis GET', width, (key) => bare.get(`bare:${key}`)),
    subject('L2 hit: ioredis GET, auto-pipelined', width, (key) => pipelined.get(`bare:${key}`)),
    subject('L2 hit: ours', width, (key) => second.get(key)),
    subject('L2 hit: layered-loader', width, (key) => layered.get(key)),
    subject('L2 hit: bentocache', width, (key) => bento.get({ key })),
    subject('L2 hit: node-redis GET', width, (key) => tracked.get(`bare:${key}`)),
    subject('miss with load: ours', width, () => missing.get(fresh())),
    subject('miss with load: layered-loader', width, () => layered.get(fresh())),
    subject('miss with load: bentocache', width, () =>
      bento.getOrSet({ key: fresh(), ttl: '1h', factory: () => value }),
    ),
    subject('invalidate: ours', width, (key) => missing.invalidate(key)),
    subject('invalidate: layered-loader', width, (key) => layered.invalidateCacheFor(key)),
    subject('invalidate: bentocache', width, (key) => bento.delete({ key })),
    subject('DEL: ioredis', width, (key) => bare.del(`gone:${key}`)),
  ])
  return {
    subjects,
    async close() {
      await bento.disconnectAll()
      await tracked.close()
      pipelined.disconnect()
      bare.disconnect()
    },
  }
}

/** Keys invalidated per second of wall time, in calls of 10,000 keys. */
export async function invalidatedPerSecond(bus: Bus): Promise<number> {
  const keys = Array.from({ length: 10_000 }, (_, i) => `key-${i}`)
  let best = 0
  for (let round = 0; round < 8; round += 1) {
    const startedAtMs = performance.now()
    await bus.invalidate('missing', keys)
    best = Math.max(best, (keys.length / (performance.now() - startedAtMs)) * 1_000)
  }
  return best
}
