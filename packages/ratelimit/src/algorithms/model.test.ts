import { expect, test } from '@repo/testing'
import { createMemoryRateLimiter } from '../memory/memory-rate-limiter.ts'
import { openOnRedis } from '../open.fixture.ts'
import type { PolicyInput } from '../policy.ts'
import type { Decision, RateLimiter } from '../types.ts'

const seed = Number(process.env['RACE_SEED'] ?? Date.now() % 1_000_000)

const policies: PolicyInput[] = [
  { name: 'sliding', quota: 12, windowMs: 1_600, by: 'a' },
  { name: 'long', quota: 40, windowMs: 60_000, by: 'b' },
  { name: 'bucket', quota: 7, windowMs: 1_000, by: 'a', algorithm: 'token-bucket' },
  { name: 'fixed', quota: 9, windowMs: 700, by: 'b', algorithm: 'fixed' },
  { name: 'dark', quota: 5, windowMs: 2_000, by: 'b', shadow: true },
]
const names = policies.map(({ name }) => name)

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
function randomOf(start: number) {
  let state = start
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296
  }
}

function resultOf({ outcome, limits, violated, shadowed, retryAfterMs }: Decision) {
  return { outcome, limits, violated, shadowed, retryAfterMs }
}

function left({ outcome, violated, shadowed, limits }: Decision) {
  return [outcome, violated, shadowed, limits.map(({ policy, remaining }) => [policy, remaining])]
}

/** One step, the same for every driver it is called with. */
function makeStep(random: () => number, leastPolicies = 0) {
  const which = random()
  const drawn = names.filter(() => random() < 0.5)
  const chosen = drawn.length < leastPolicies ? names : drawn
  const subject = { a: `a${Math.floor(random() * 3)}`, b: `b${Math.floor(random() * 3)}` }
  const cost = Math.floor(random() * 4)
  return async (limiter: RateLimiter): Promise<Decision> => {
    if (which < 0.7) return limiter.take(chosen, subject, { cost })
    if (which < 0.85) return limiter.peek(chosen, subject, { cost })
    if (which < 0.95) return limiter.penalize(chosen, subject, cost + 1)
    return limiter.reward(chosen, subject, cost + 1)
  }
}

test(`R1: in 1500 random steps, Redis and memory return the same (seed ${seed})`, async ({
  redisUrl,
}) => {
  const random = randomOf(seed)
  const startMs = Date.now()
  const redis = await openOnRedis(redisUrl, policies, { startMs })
  let nowMs = startMs
  const memory = createMemoryRateLimiter({ policies, now: () => nowMs })
  for (let i = 0; i < 1_500; i += 1) {
    const stepMs = Math.floor(random() ** 4 * 900)
    nowMs += stepMs
    await redis.advance(stepMs)
    const step = makeStep(random)
    const [there, here] = await Promise.all([step(redis.limiter), step(memory)])
    expect([i, resultOf(there)]).toEqual([i, resultOf(here)])
  }
  await redis.limiter.close()
})

test(`in 300 random batches, each step returns the same as when it is sent alone (seed ${seed})`, async ({
  redisUrl,
}) => {
  const random = randomOf(seed)
  const startMs = Date.now()
  const redis = await openOnRedis(redisUrl, policies, { startMs })
  let nowMs = startMs
  const memory = createMemoryRateLimiter({ policies, now: () => nowMs })
  for (let i = 0; i < 300; i += 1) {
    const stepMs = Math.floor(random() ** 4 * 900)
    nowMs += stepMs
    await redis.advance(stepMs)
    // Single takes of one policy may have another order: those of one count are one entry.
    const batch = Array.from({ length: 1 + Math.floor(random() * 20) }, () => makeStep(random, 2))
    const there = await Promise.all(batch.map((step) => step(redis.limiter)))
    const here = await Promise.all(batch.map((step) => step(memory)))
    expect([i, there.map(left)]).toEqual([i, here.map(left)])
  }
  await redis.limiter.close()
})

test(`in 60 random rounds, the strict window never holds more than the quota (seed ${seed})`, async () => {
  const random = randomOf(seed)
  for (let round = 0; round < 60; round += 1) {
    const windowMs = 100 + Math.floor(random() * 5_000)
    const quota = 1 + Math.floor(random() * 30)
    let nowMs = Math.floor(random() * 1e12)
    const limiter = createMemoryRateLimiter({
      policies: [{ name: 'p', quota, windowMs, by: 'a' }],
      now: () => nowMs,
    })
    const log: { atMs: number; cost: number }[] = []
    for (let i = 0; i < 400; i += 1) {
      nowMs += random() ** 6 * windowMs * 2
      const cost = 1 + Math.floor(random() * 3)
      const { outcome } = await limiter.take(['p'], { a: '1' }, { cost })
      if (outcome === 'allowed') log.push({ atMs: nowMs, cost })
    }
    for (const { atMs } of log) {
      const within = log.filter((take) => take.atMs > atMs - windowMs && take.atMs <= atMs)
      expect(within.reduce((sum, take) => sum + take.cost, 0)).toBeLessThanOrEqual(quota)
    }
  }
})
