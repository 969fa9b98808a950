import { estimate, type Target, target } from '@repo/testing/bench'
import { Redis } from 'ioredis'
import { connectLimiterRedis, createRateLimiter } from '../src/index.ts'
import { limiterKeys } from '../src/keys.ts'
import { policies } from './workloads.ts'

const COUNT = 10_000
const names = limiterKeys()
const key = (i: number) => `${names.subjectPrefix('api-user~s60')}${String(i).padStart(32, 'u')}`
const userOf = (i: number) => ({ user: String(i).padStart(32, 'u') })

/** Bytes of the server's memory per count, its name with an identifier of 32 bytes included. */
export async function measureMemory(redisUrl: string): Promise<Target[]> {
  const redis = new Redis(redisUrl)
  const connection = connectLimiterRedis({ url: redisUrl, name: 'bench', deadlineMs: 5_000 })
  await connection.ready()
  const limiter = createRateLimiter({ redis: connection, policies })
  async function grown(fill: (i: number) => Promise<unknown>): Promise<number> {
    await redis.flushall()
    const before = await used()
    for (let i = 0; i < COUNT; i += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, j) => fill(i + j)))
    }
    return Math.round(((await used()) - before) / COUNT)
  }
  async function used(): Promise<number> {
    return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1] ?? Number.NaN)
  }
  const bytes = {
    'sliding, used once': await grown((i) => limiter.take(['api-user'], userOf(i))),
    // As a key has it that was hit in every sub-window: 8 bytes and 17 entries.
    'sliding, full': await grown((i) => redis.set(key(i), Buffer.alloc(76, 1), 'PX', 63_750)),
    'token bucket': await grown((i) => redis.set(key(i), Buffer.alloc(18, 1), 'PX', 120_000)),
    'plain counter': await grown((i) => redis.set(key(i), '1', 'PX', 60_000)),
  }
  await limiter.close()
  await connection.close()
  redis.disconnect()
  return Object.entries(bytes).map(([name, size]) =>
    target(`bytes per key, ${name}`, estimate([size]), '<=', 270),
  )
}
