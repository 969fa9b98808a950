import { type ChildProcess, fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { connectRedis } from '@repo/redis'
import { estimate, percentile, type Target, target } from '@repo/testing/bench'
import { Redis } from 'ioredis'
import { createBus } from '../src/index.ts'

const PER_ROUND = 60

/** All processes of a machine share this clock. */
export const nowUs = () => Number(process.hrtime.bigint() / 1_000n)

async function openBus(redisUrl: string) {
  const redis = connectRedis({ url: redisUrl, name: 'a', deadlineMs: 5_000 })
  await redis.ready()
  const bus = createBus({ redis, name: 'broadcast', instance: 'a' })
  bus.on('bench-wait', () => undefined)
  await bus.ready()
  async function close() {
    await bus.close()
    await redis.close()
  }
  return { bus, redis, close }
}

/** Latencies of messages to three processes, this one too, that each hold the bus and a subscription. */
export async function measureBroadcast(redisUrl: string, rounds: number): Promise<Target[]> {
  const { bus, redis, close } = await openBus(redisUrl)
  const { client } = redis
  const others = await Promise.all(['b', 'c'].map((id) => start(id, redisUrl)))
  const self = new EventEmitter()
  bus.on('bench', (data) => void self.emit('message', nowUs() - Number(data)))
  const subscriber = new Redis(redisUrl)
  subscriber.on('message', (_, sentAtUs) => self.emit('message', nowUs() - Number(sentAtUs)))
  await subscriber.subscribe('bench')
  const all = [...others, self]
  const ratios: number[] = []
  const barriers: { p50: number; p99: number }[] = []
  // Past the time in which the list of members may be incomplete.
  await pause(1_200)
  for (let round = -1; round < rounds; round += 1) {
    const published: number[] = []
    const emitted: number[] = []
    const waited: number[] = []
    for (let i = 0; i < PER_ROUND; i += 1) {
      published.push(await applied(all, () => client.publish('bench', String(nowUs()))))
      emitted.push(await applied(all, () => bus.emit('bench', nowUs())))
      const delivery = await bus.emit('bench-wait', nowUs(), { wait: 'everywhere' })
      if (delivery.outcome === 'everywhere' && delivery.lapsed.length === 0)
        waited.push(delivery.ms)
    }
    if (round < 0) continue
    ratios.push(percentile(emitted, 0.5) / percentile(published, 0.5))
    barriers.push({ p50: percentile(waited, 0.5), p99: percentile(waited, 0.99) })
  }
  for (const child of others) child.kill()
  subscriber.disconnect()
  await close()
  return [
    target('emit / PUBLISH, applied by 3 processes, p50', estimate(ratios), '<=', 1.1),
    target('barrier, 3 processes, p50 ms', estimate(barriers.map((run) => run.p50)), '<=', 1.2),
    target('barrier, 3 processes, p99 ms', estimate(barriers.map((run) => run.p99)), '<=', 5),
  ]
}

/** Keys invalidated per second of wall time, in calls of 10,000 keys. */
export async function measureInvalidations(redisUrl: string): Promise<Target[]> {
  const { bus, close } = await openBus(redisUrl)
  const keys = Array.from({ length: 10_000 }, (_, i) => `key-${i}`)
  const perSecond: number[] = []
  for (let round = 0; round < 9; round += 1) {
    const startedAtMs = performance.now()
    await bus.invalidate('missing', keys)
    perSecond.push((keys.length / (performance.now() - startedAtMs)) * 1_000)
  }
  await close()
  return [target('invalidated keys per second', estimate(perSecond), '>=', 200_000)]
}

/** The time until the last of them received it. */
async function applied(all: EventEmitter[], send: () => Promise<unknown>): Promise<number> {
  const received = all.map(async (one) => Number((await once(one, 'message'))[0]))
  await send()
  return Math.max(...(await Promise.all(received)))
}

async function start(id: string, redisUrl: string): Promise<ChildProcess> {
  const child = fork(new URL('subscriber.ts', import.meta.url), [id, redisUrl])
  await once(child, 'message')
  return child
}
