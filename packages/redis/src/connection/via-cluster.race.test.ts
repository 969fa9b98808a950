import { setTimeout as pause } from 'node:timers/promises'
import { findRedisServer } from '@repo/embedded'
import { afterEach, describe, expect, test, until } from '@repo/testing'
import { type RedisCluster, startRedisCluster } from '@repo/testing/redis-cluster'
import { connectRedis, keyspace, type RedisConnection } from '../index.ts'
import { SHARED_SLOT } from '../keys.ts'

const command = (await findRedisServer()) ?? ''
const counter = keyspace('counter')('n')

let cluster: RedisCluster
let redis: RedisConnection

afterEach(async () => {
  await redis.close()
  await cluster.stop()
})

async function open() {
  cluster = await startRedisCluster(command, SHARED_SLOT)
  const [first, second] = cluster.others
  redis = connectRedis({
    url: `redis://127.0.0.1:${first!.port}`,
    clusterNodes: [`127.0.0.1:${second!.port}`],
    name: 'test-1',
  })
  await redis.ready()
}

/** Counts until it is stopped, and repeats no call. Returns the numbers of outcomes. */
function count() {
  const outcomes = { answered: 0, unknown: 0, refused: [] as string[] }
  const halt = new AbortController()
  const counting = (async () => {
    while (!halt.signal.aborted) {
      await redis
        .call((client) => client.incr(counter))
        .then(
          () => (outcomes.answered += 1),
          (error: { code: string; message: string }) => {
            if (error.code === 'timeout') outcomes.unknown += 1
            else outcomes.refused.push(`${error.code}: ${error.message}`)
          },
        )
      await pause(2)
    }
  })()
  return {
    outcomes,
    async stop() {
      halt.abort()
      await counting
    },
  }
}

describe.skipIf(command === '')('in a cluster', () => {
  test('a connection in a cluster leads to the owner of the slot, although only other nodes are configured', async () => {
    await open()
    expect(redis.client.stream.remotePort).toBe(cluster.owner.port)
    expect(await redis.call((client) => client.incr(counter))).toBe(1)
  })

  test('a connection follows a moved slot to another node, and no command runs twice', async () => {
    await open()
    const counting = count()
    await until(() => counting.outcomes.answered > 20)
    await cluster.moveSlot(cluster.others[0]!)
    await until(() => redis.client.stream.remotePort === cluster.others[0]!.port)
    const before = counting.outcomes.answered
    await until(() => counting.outcomes.answered > before + 20)
    await counting.stop()
    const { answered, unknown, refused } = counting.outcomes
    const counted = Number(await redis.call((client) => client.get(counter)))
    expect(counted).toBeGreaterThanOrEqual(answered)
    expect(counted).toBeLessThanOrEqual(answered + unknown)
    expect(refused.filter((reason) => !reason.startsWith('unavailable'))).toEqual([])
  })

  // A connector that rejects ends an ioredis client for good: a moment without nodes did so.
  test('a connection in a cluster recovers after all nodes were unreachable', async ({
    tcpProxy,
  }) => {
    cluster = await startRedisCluster(command, SHARED_SLOT)
    const [first, second] = cluster.others
    const proxies = await Promise.all(
      [first!, second!].map(({ port }) => tcpProxy({ target: `redis://127.0.0.1:${port}` })),
    )
    const [url = '', other = ''] = proxies.map((proxy) => proxy.url)
    await Promise.all(proxies.map((proxy) => proxy.cut()))
    redis = connectRedis({ url, clusterNodes: [new URL(other).host], name: 'test-1' })
    await expect(redis.ready(700)).rejects.toMatchObject({ code: 'unavailable' })
    expect(redis.client.status).not.toBe('end')
    await Promise.all(proxies.map((proxy) => proxy.heal()))
    await redis.ready(10_000)
    expect(await redis.call((client) => client.incr(counter))).toBe(1)
  })

  test('a connection leads to the replica that replaces a dead owner', async () => {
    await open()
    await redis.call((client) => client.set(counter, 7))
    await until(() => redis.call((client) => client.wait(1, 100)))
    await cluster.owner.kill()
    const counted = await until(() => redis.call((client) => client.incr(counter)), {
      timeoutMs: 20_000,
    })
    expect(counted).toBe(8)
    expect(redis.client.stream.remotePort).toBe(cluster.replica.port)
  })
})
