import { connectRedis } from '@repo/redis'
import { Redis } from 'ioredis'
import type { OpenedStore } from '../conformance/conformance.ts'
import { idempotencyKeys } from './keys.ts'
import { redisStore } from './redis-store.ts'

/** Opens the stores of two instances on one Redis, with a deadline that is enough on a busy machine. */
export async function openOnRedis(url: string): Promise<OpenedStore & { direct: Redis }> {
  const connections = [1, 2].map((n) => connectRedis({ url, name: `test-${n}`, deadlineMs: 5_000 }))
  await Promise.all(connections.map((redis) => redis.ready(10_000)))
  const [store, beside] = connections.map((redis) => redisStore({ redis }))
  const direct = new Redis(url)
  const keys = idempotencyKeys(connections[0]!)
  return {
    store: store!,
    beside: beside!,
    direct,
    forget: (claim) => direct.del(keys.record(claim), keys.steps(claim)),
    async close() {
      await Promise.all(connections.map((redis) => redis.close()))
      await direct.quit()
    },
  }
}
