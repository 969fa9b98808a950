import { expect, test } from 'vitest'
import { createMemoryRateLimiter } from './memory/memory-rate-limiter.ts'
import { limiterFigures } from './metrics.ts'

test('the figures contain the totals of the limiter at the time of a read', async () => {
  const policies = [{ name: 'p', quota: 2, windowMs: 60_000, by: 'ip' }]
  const limiter = createMemoryRateLimiter({ policies, now: () => 0 })
  const figures = limiterFigures(limiter)
  for (let i = 0; i < 5; i += 1) await limiter.take(['p'], { ip: '192.0.2.1' })
  expect(Object.fromEntries(figures.map(({ name, read }) => [name, read()]))).toEqual({
    threefold_ratelimit_allowed_total: 2,
    threefold_ratelimit_limited_total: 3,
    threefold_ratelimit_unavailable_total: 0,
    threefold_ratelimit_degraded_total: 0,
    threefold_ratelimit_remembered_total: 0,
    threefold_ratelimit_leased_total: 0,
    threefold_ratelimit_deny_cache_keys: 0,
    threefold_ratelimit_exact_ratio: 1,
  })
})
