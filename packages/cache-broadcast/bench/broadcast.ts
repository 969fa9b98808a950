import { type ChildProcess, fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Bus } from '../src/index.ts'
import { percentile } from './measure.ts'

/** All processes of a machine share this clock. */
export const nowUs = () => Number(process.hrtime.bigint() / 1_000n)

/** Latencies of messages to three processes, this one too, that each hold the bus and a subscription. */
export async function measureBroadcast(bus: Bus, redis: Redis, redisUrl: string, rounds: number) {
  const others = await Promise.all(['b', 'c'].map((id) => start(id, redisUrl)))
  const self = new EventEmitter()
  bus.on('bench', (data) => void self.emit('message', nowUs() - Number(data)))
  const subscriber = new Redis(redisUrl)
  subscriber.on('message', (_, sentAtUs) => self.emit('message', nowUs() - Number(sentAtUs)))
  await subscriber.subscribe('bench')
  const all = [...others, self]
  const published: number[] = []
  const emitted: number[] = []
  const waited: number[] = []
  // Past the time in which the list of members may be incomplete.
  await pause(1_200)
  for (let round = 0; round < rounds; round += 1) {
    for (let i = 0; i < 60; i += 1) {
      published.push(await applied(all, () => redis.publish('bench', String(nowUs()))))
      emitted.push(await applied(all, () => bus.emit('bench', nowUs())))
      const delivery = await bus.emit('bench-wait', nowUs(), { wait: 'everywhere' })
      if (delivery.outcome === 'everywhere' && delivery.lapsed.length === 0)
        waited.push(delivery.ms)
    }
  }
  for (const child of others) child.kill()
  subscriber.disconnect()
  return {
    publishUs: percentile(published, 0.5),
    emitUs: percentile(emitted, 0.5),
    emitP99Us: percentile(emitted, 0.99),
    publishP99Us: percentile(published, 0.99),
    barrierMs: percentile(waited, 0.5),
    barrierP99Ms: percentile(waited, 0.99),
  }
}

/** How long until the last of them had it. */
async function applied(all: EventEmitter[], send: () => Promise<unknown>): Promise<number> {
  const heard = all.map(async (one) => Number((await once(one, 'message'))[0]))
  await send()
  return Math.max(...(await Promise.all(heard)))
}

async function start(id: string, redisUrl: string): Promise<ChildProcess> {
  const child = fork(new URL('subscriber.ts', import.meta.url), [id, redisUrl])
  await once(child, 'message')
  return child
}
