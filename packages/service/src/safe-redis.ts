import { runInBackground } from '@repo/concurrency'
import {
  checkEvictionPolicy,
  checkWrites,
  isNoDatabase,
  type RedisConnection,
  RedisError,
} from '@repo/redis'
import { type Check, CheckError } from './health.ts'
import type { Log } from './log.ts'

/**
 * Refuses a server that would drop state. One that is away is tolerated: it is looked at whenever a
 * connection is made, and by `/health`, which then says `degraded`.
 *
 * @throws when the eviction policy is unsafe
 */
export async function requireSafeRedis(redis: RedisConnection, log: Log): Promise<void> {
  await redis.ready().catch((error: unknown) => {
    if (error instanceof RedisError && isNoDatabase(error.cause)) {
      throw new Error(`the database of REDIS_URL cannot be used (${error.cause.message})`)
    }
    log.warn({ err: error }, 'starting without Redis')
  })
  const policy = await checkEvictionPolicy(redis)
  if (policy.outcome === 'unsafe') throw new Error(faultOf(policy))
  if (policy.outcome === 'unknown') {
    log.warn({ event: 'redis.policy', reason: policy.reason }, 'cannot see the eviction policy')
  }
  redis.client.on('ready', () => runInBackground('redis.policy', report, log))

  async function report() {
    const now = await checkEvictionPolicy(redis)
    if (now.outcome === 'unsafe') log.error({ event: 'redis.policy' }, faultOf(now))
  }
}

/** Healthy when Redis takes writes and keeps what it is given. */
export function createRedisCheck(redis: RedisConnection): Check {
  return async () => {
    const [policy] = await Promise.all([checkEvictionPolicy(redis), checkWrites(redis)])
    if (policy.outcome === 'unsafe') throw new CheckError(faultOf(policy))
  }
}

function faultOf({ policy }: { policy: string }): string {
  return `maxmemory-policy is ${policy}; set it to noeviction, or state is lost`
}
