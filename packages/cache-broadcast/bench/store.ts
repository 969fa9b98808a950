import type { InstanceContext, OpenContender } from '@repo/testing/bench'
import { bentostore, BentoCache } from 'bentocache'
import { redisDriver } from 'bentocache/drivers/redis'
import { Redis } from 'ioredis'
import { Loader, RedisCache } from 'layered-loader'
import { createClient } from 'redis'
import { createCache } from '../src/index.ts'
import type { OpenBus } from './open-bus.ts'

const value = { id: 'u', name: 'Ada Lovelace', roles: ['user', 'admin'], orgId: 'o1' }
const text = JSON.stringify(value)
const COUNT = 4_000
const TTL_MS = 600_000
const keyOf = (i: number) => `k${i % COUNT}`

type Operation = (i: number) => Promise<unknown>
interface Opened {
  close: () => unknown
  settle?: () => Promise<unknown>
  /** By their workload. `fill` writes the values that are read. */
  operations: Partial<Record<string, Operation>>
}

const parse = () => value

/** A hit in Redis, a miss with a load, a `set` and an invalidation, beside bare clients and peers. */
export function storeContenders(workload: string, openBus: OpenBus): Record<string, OpenContender> {
  const contender =
    (open: (context: InstanceContext) => Promise<Opened>): OpenContender =>
    async (context) => {
      const { operations, close, settle } = await open(context)
      const run = operations[workload]
      if (!run) throw new Error(`A contender has no workload "${workload}"`)
      const fill = operations['fill']
      if (fill) for (let i = 0; i < COUNT; i += 1) await fill(i)
      return { run, close, ...(settle && { settle }) }
    }
  const bare = (enableAutoPipelining: boolean) =>
    contender(async ({ redisUrl }) => {
      const redis = new Redis(redisUrl, { enableAutoPipelining })
      const set: Operation = (i) => redis.set(`bare:${keyOf(i)}`, text, 'PX', TTL_MS)
      const operations: Opened['operations'] = {
        fill: set,
        set,
        hit: (i) => redis.get(`bare:${keyOf(i)}`),
        invalidate: (i) => redis.del(`deleted:${keyOf(i)}`),
      }
      return { operations, close: () => redis.disconnect() }
    })
  return {
    ours: contender((context) => openOurs(context, openBus)),
    ioredis: bare(false),
    'ioredis, auto-pipelined': bare(true),
    'layered-loader': contender(openLayered),
    bentocache: contender(openBento),
    'node-redis': contender(async ({ redisUrl }) => {
      const client = createClient({ url: redisUrl, RESP: 3 })
      await client.connect()
      const set: Operation = (i) => client.set(`node:${keyOf(i)}`, text, { PX: TTL_MS })
      const hit: Operation = (i) => client.get(`node:${keyOf(i)}`)
      return { operations: { fill: set, set, hit }, close: () => client.close() }
    }),
  }
}

async function openOurs(context: InstanceContext, openBus: OpenBus): Promise<Opened> {
  const { bus, settle, close } = await openBus(context)
  // Too small to hit in memory: every read goes to Redis.
  const second = createCache({
    bus,
    name: 'second',
    parse,
    maxEntries: 1,
    load: async () => undefined,
  })
  const missing = createCache({ bus, name: 'missing', load: async () => value, parse })
  const { instance } = context
  const operations: Opened['operations'] = {
    fill: (i) => second.set(keyOf(i), value),
    async hit(i) {
      if (!(await second.get(keyOf(i)))) throw new Error('A read did not hit')
    },
    miss: (i) => missing.get(`m${instance}:${i}`),
    set: (i) => second.set(keyOf(i), value),
    invalidate: (i) => missing.invalidate(keyOf(i)),
  }
  return { settle, close, operations }
}

async function openLayered({ redisUrl, instance }: InstanceContext): Promise<Opened> {
  const redis = new Redis(redisUrl)
  const store = new RedisCache<typeof value | null>(redis, {
    json: true,
    prefix: 'layered',
    ttlInMsecs: TTL_MS,
  })
  const loader = new Loader<typeof value | null>({
    asyncCache: store,
    dataSourceGetOneFn: async () => value,
  })
  const operations: Opened['operations'] = {
    fill: (i) => loader.get(keyOf(i)),
    hit: (i) => loader.get(keyOf(i)),
    miss: (i) => loader.get(`m${instance}:${i}`),
    set: (i) => store.set(keyOf(i), value),
    invalidate: (i) => loader.invalidateCacheFor(keyOf(i)),
  }
  return { operations, close: () => redis.disconnect() }
}

async function openBento({ redisUrl, instance }: InstanceContext): Promise<Opened> {
  const { hostname, port } = new URL(redisUrl)
  const driver = redisDriver({ connection: { host: hostname, port: Number(port) } })
  const bento = new BentoCache({
    default: 'second',
    stores: { second: bentostore().useL2Layer(driver) },
  })
  const set: Operation = (i) => bento.set({ key: keyOf(i), value, ttl: '10m' })
  const operations: Opened['operations'] = {
    fill: set,
    set,
    hit: (i) => bento.get({ key: keyOf(i) }),
    miss: (i) => bento.getOrSet({ key: `m${instance}:${i}`, ttl: '10m', factory: () => value }),
    invalidate: (i) => bento.delete({ key: keyOf(i) }),
  }
  return { operations, close: () => bento.disconnectAll() }
}
