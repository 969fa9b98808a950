import { runInBackground } from '@repo/concurrency'
import type { Figure, Log } from '@repo/observability'
import {
  checkEvictionPolicy,
  checkWrites,
  isNoDatabase,
  type RedisConnection,
  RedisError,
} from '@repo/redis'
import { type Check, CheckError } from '../http/health.ts'

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

/** For how long a call that the server refused makes the check fail, in ms. */
const REFUSAL_MS = 10_000

/**
 * Healthy when Redis takes writes and keeps what it is given, and has refused no call lately: it may
 * refuse the keys of one part only.
 */
export function createRedisCheck(redis: RedisConnection): Check {
  let isFailing = false
  /** Refusals before the last recovery are over. */
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

/** The failed calls of a connection, by the code of their error, and whether its breaker is open. */
export function redisFigures({ stats, breaker }: RedisConnection): Figure[] {
  const codes = ['unavailable', 'timeout', 'rejected', 'defect'] as const
  return [
    ...codes.map((code) => ({
      name: 'threefold_redis_failed_calls_total',
      help: 'Calls of Redis that failed, by the code of their error',
      kind: 'counter' as const,
      labels: { code },
      read: () => stats.failures[code],
    })),
    {
      name: 'threefold_redis_breaker_open',
      help: 'Whether calls of Redis fail at once because it does not answer',
      kind: 'gauge',
      read: () => (breaker.state === 'closed' ? 0 : 1),
    },
  ]
}

function faultOf({ policy }: { policy: string }): string {
  return `maxmemory-policy is ${policy}; set it to noeviction, or state is lost`
}
