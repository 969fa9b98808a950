import { RateLimitError } from '../errors.ts'
import { createLimiter } from '../limiter.ts'
import type { PolicyInput } from '../policy.ts'
import type { Decision, RateLimiter } from '../types.ts'
import { aClock, aFunction, anInteger, anIpv6Prefix, requireOptions } from '../validation.ts'
import { createMemoryStore } from './memory-store.ts'

/** The options of a limiter within one process. */
interface MemoryRateLimiterOptions {
  policies: readonly PolicyInput[]
  /** The number of instances of the app. */
  replicas?: number
  /** A clock in ms that never goes back. */
  now?: () => number
  /** The number of subjects that are counted, at most. The oldest are dropped first. */
  maxKeys?: number
  ipv6Prefix?: 48 | 56 | 64
  observe?: (decision: Decision) => void
}

const EXPECTED = {
  required: [],
  optional: [
    anInteger('replicas', 1, 1_000_000),
    aClock('now'),
    anInteger('maxKeys', 1, 100_000_000),
    anIpv6Prefix,
    aFunction('observe'),
  ],
}

/**
 * Creates a limiter within one process, for tests and for an app with one instance.
 * @throws RateLimitError `single-instance` for more than one replica, `bad-policy`, `bad-option`
 */
export function createMemoryRateLimiter(options: MemoryRateLimiterOptions): RateLimiter {
  requireOptions(options, EXPECTED)
  const { policies, replicas = 1, now = () => performance.now(), observe } = options
  const { maxKeys = 100_000, ipv6Prefix = 56 } = options
  if (replicas > 1) {
    const message = `${replicas} instances need createRateLimiter on Redis`
    throw new RateLimitError('single-instance', message)
  }
  const store = createMemoryStore({ now, maxKeys })
  return createLimiter({
    store,
    source: 'memory',
    policies,
    available: () => true,
    decideLocally() {
      throw new RateLimitError('unavailable', 'the memory store does not fail')
    },
    bus: undefined,
    denyCacheKeys: 0,
    ipv6Prefix,
    observe,
    now,
  })
}
