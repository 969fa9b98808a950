import { RateLimitError } from '../errors.ts'
import { createLimiter } from '../limiter.ts'
import type { PolicyInput } from '../policy.ts'
import type { Decision, RateLimiter } from '../types.ts'
import { aClock, aFunction, anInteger, anIpv6Prefix, requireOptions } from '../validation.ts'
import { createMemoryStore } from './memory-store.ts'

/** What a limiter within one process needs. */
interface MemoryRateLimiterOptions {
  policies: readonly PolicyInput[]
  replicas?: number
  now?: () => number
  /** How many subjects are counted; the oldest go first. */
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
 * A limiter within one process, for tests and for an app that has one instance.
 *
 * @param replicas how many instances the app runs with
 * @param now a clock in ms that never goes back
 * @throws RateLimitError `single-instance` for more than one, `bad-policy`, `bad-option`
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
    decideWithout() {
      throw new RateLimitError('unavailable', 'memory does not fail')
    },
    bus: undefined,
    denyCacheKeys: 0,
    ipv6Prefix,
    observe,
    now,
  })
}
