import { describe, expect, test } from '@repo/testing'
import { createMemoryRateLimiter } from '../memory/memory-rate-limiter.ts'
import { openOnRedis } from '../open.fixture.ts'
import type { RateLimiter } from '../types.ts'

const policies = [
  { name: 'p', quota: 5, windowMs: 5_000, by: 'ip', algorithm: 'token-bucket' as const },
]

/**
 * The vectors of Go's throttled (rate_test.go, TestRateLimit): 5 at once and 1/s. When (ms), how much,
 * whether it is refused, then what is left, the ms until all is, and the ms to wait, -1 for never.
 */
const VECTORS = [
  [0, 6, true, 5, 0, -1],
  [0, 1, false, 4, 1_000, 0],
  [0, 1, false, 3, 2_000, 0],
  [0, 1, false, 2, 3_000, 0],
  [0, 1, false, 1, 4_000, 0],
  [0, 1, false, 0, 5_000, 0],
  [0, 1, true, 0, 5_000, 1_000],
  [3_000, 1, false, 2, 3_000, 0],
  [3_100, 1, false, 1, 3_900, 0],
  [4_000, 1, false, 1, 4_000, 0],
  [8_000, 1, false, 4, 1_000, 0],
  [9_500, 1, false, 4, 1_000, 0],
  [9_500, 0, false, 4, 1_000, 0],
  [9_500, 2, false, 2, 3_000, 0],
  [9_500, 5, true, 2, 3_000, 3_000],
] as const

async function follow(limiter: RateLimiter, goTo: (ms: number) => Promise<void>) {
  for (const [i, [atMs, cost, refused, left, resetMs, retryMs]] of VECTORS.entries()) {
    await goTo(atMs)
    const decision = await limiter.take(['p'], { ip: 'foo' }, { cost })
    expect([i, decision.outcome]).toEqual([i, refused ? 'limited' : 'allowed'])
    expect([i, decision.retryAfterMs]).toEqual([i, retryMs === -1 ? Infinity : retryMs])
    // A cost over the quota is refused without a count.
    if (retryMs === -1) continue
    const [limit] = decision.limits
    expect([i, limit?.remaining, limit?.resetMs]).toEqual([i, left, resetMs])
  }
}

describe('the token bucket agrees with the vectors of throttled', () => {
  test('the token bucket in memory agrees with the vectors of throttled', async () => {
    let nowMs = 0
    const limiter = createMemoryRateLimiter({ policies, now: () => nowMs })
    await follow(limiter, async (ms) => void (nowMs = ms))
  })

  test('the token bucket in Redis agrees with the vectors of throttled', async ({ redisUrl }) => {
    const opened = await openOnRedis(redisUrl, policies)
    let nowMs = 0
    await follow(opened.limiter, async (ms) => {
      await opened.advance(ms - nowMs)
      nowMs = ms
    })
    await opened.limiter.close()
  })
})
