import { createLimiter } from './limiter.ts'
import { createFallback } from './memory/fallback.ts'
import { createMemoryStore } from './memory/memory-store.ts'
import type { PolicyInput } from './policy.ts'
import type { LimiterRedis } from './redis/connection.ts'
import { createRedisStore } from './redis/redis-store.ts'
import type { Decision, LimiterBus, RateLimiter } from './types.ts'
import { aFunction, anInteger, anIpv6Prefix, anObjectWith, requireOptions } from './validation.ts'

/** The options of a limiter; see the README for the defaults. */
export interface RateLimiterOptions {
  /** A connection that only limits use: `connectLimiterRedis`. */
  redis: LimiterRedis
  /** All limiters with a policy of one name on one Redis count together. */
  policies: readonly PolicyInput[]
  /** Sends the end of a refusal to the other instances. Without it a refusal is cached for 1 s. */
  bus?: LimiterBus | undefined
  /** The number of live instances. Without Redis each has its share of a quota. */
  replicas?: () => number
  /** The number of cached refusals, at most; about 150 bytes each. */
  denyCacheKeys?: number
  /** The number of bits of an IPv6 address that identify one client. */
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
 * Creates a limiter whose limits hold for all instances together. All policies of a request are
 * checked in one round trip, and either all are charged or none.
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
    available: redis.available,
    decideLocally: createFallback({ local: createMemoryStore({ keys: redis.keys }), replicas }),
    bus,
    denyCacheKeys,
    ipv6Prefix,
    observe,
    log: redis.log,
  })
}
