import type { Bus } from '@repo/cache-broadcast'
import { createLimiter } from './limiter.ts'
import { createOutage } from './memory/fallback.ts'
import { createMemoryStore } from './memory/memory-store.ts'
import type { PolicyInput } from './policy.ts'
import type { LimiterRedis } from './redis/connection.ts'
import { createRedisStore } from './redis/redis-store.ts'
import type { Decision, RateLimiter } from './types.ts'
import { aFunction, anInteger, anIpv6Prefix, anObjectWith, requireOptions } from './validation.ts'

/** What a limiter needs; see the README for the defaults. */
export interface RateLimiterOptions {
  /** A connection for limits alone: `connectLimiterRedis`. */
  redis: LimiterRedis
  /** All limiters with a policy of one name on one Redis count together. */
  policies: readonly PolicyInput[]
  /** Tells the other instances what lifts a refusal. Without one they may believe it 1 s longer. */
  bus?: Bus | undefined
  /** How many instances are alive: without Redis each has its share of a quota. */
  replicas?: () => number
  /** How many refusals are remembered; some 150 bytes each. */
  denyCacheKeys?: number
  /** How much of an IPv6 address is one client. */
  ipv6Prefix?: 48 | 56 | 64
  /** Called with every decision of `take`, for metrics and logs. */
  observe?: (decision: Decision) => void
}

const EXPECTED = {
  required: [anObjectWith('redis', ['available', 'run', 'runPieces', 'runText'])],
  optional: [
    anObjectWith('bus', ['on', 'emit', 'health']),
    aFunction('replicas'),
    anInteger('denyCacheKeys', 0, 10_000_000),
    anIpv6Prefix,
    aFunction('observe'),
  ],
}

/**
 * Limits that all instances share exactly: every policy of a request is checked in one round trip,
 * all are counted or none.
 * @throws RateLimitError `bad-policy`, with every fault, `bad-option`
 */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  requireOptions(options, EXPECTED)
  const { redis, policies, bus, replicas = () => 1, observe } = options
  const { denyCacheKeys = 10_000, ipv6Prefix = 56 } = options
  return createLimiter({
    store: createRedisStore(redis),
    keys: redis.keys,
    source: 'redis',
    policies,
    available: () => redis.available(),
    decideWithout: createOutage({ local: createMemoryStore({ keys: redis.keys }), replicas }),
    bus,
    denyCacheKeys,
    ipv6Prefix,
    observe,
    log: redis.log,
  })
}
