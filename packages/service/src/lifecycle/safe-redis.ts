import { runInBackground } from '@repo/concurrency'
import type { Log } from '@repo/observability'
import {
  checkEvictionPolicy,
  checkWrites,
  isNoDatabase,
  type RedisConnection,
  RedisError,
} from '@repo/redis'
import { type Check, CheckError } from '../http/health.ts'

/**
 * Refuses a server that would drop state. An unavailable server is tolerated: its policy is checked
 * at each new connection and by `/health`, whose status is then `degraded`.
 *
 * @throws when the eviction policy is unsafe or the database does not exist
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
    log.warn({ event: 'redis.policy', reason: policy.reason }, 'the eviction policy cannot be read')
  }
  redis.client.on('ready', () => runInBackground('redis.policy', report, log))

  async function report() {
    const now = await checkEvictionPolicy(redis)
    if (now.outcome === 'unsafe') log.error({ event: 'redis.policy' }, faultOf(now))
  }
}

/** How long the check fails after the server refused a call, in ms. */
const REFUSAL_MS = 10_000

/**
 * Creates the check of Redis. It succeeds when Redis accepts writes, does not evict keys, and has
 * refused no recent call. A server can refuse only the keys of one package.
 */
export function createRedisCheck(redis: RedisConnection): Check {
  let isFailing = false
  /** Earlier refusals no longer count. */
  let recoveredAtMs = Number.NEGATIVE_INFINITY

  async function checkNow(): Promise<void> {
    const [policy] = await Promise.all([checkEvictionPolicy(redis), checkWrites(redis)])
    if (policy.outcome === 'unsafe') throw new CheckError(faultOf(policy))
  }

  return async () => {
    try {
      await checkNow()
    } catch (error) {
      isFailing = true
      throw error
    }
    if (isFailing) recoveredAtMs = performance.now()
    isFailing = false
    const { lastRefusal } = redis.stats
    if (lastRefusal === undefined || lastRefusal.atMs <= recoveredAtMs) return
    if (performance.now() - lastRefusal.atMs < REFUSAL_MS) throw lastRefusal.error
  }
}

function faultOf({ policy }: { policy: string }): string {
  return `maxmemory-policy is ${policy}; set it to noeviction, or state is lost`
}
