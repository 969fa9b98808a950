import { expect, test } from 'vitest'
import type { PolicyInput } from '../policy.ts'
import type { RateLimiter } from '../types.ts'
import { base, ip, type Open, required } from './open.ts'

const p = { ...base, name: 'p', quota: 12 } as const
/** The changes that a release may make to a policy without a new name. */
const VERSIONS: Record<string, PolicyInput> = {
  'a sliding window': p,
  'a shorter one': { ...p, windowMs: 30_500 },
  'a leased one': { ...p, lease: { units: 4, ms: 1_000 } },
  'a lower quota': { ...p, quota: 5 },
  'a token bucket': { ...p, algorithm: 'token-bucket' },
  'a fixed window': { ...p, algorithm: 'fixed' },
  'a concurrency limit': { ...p, algorithm: 'concurrency' },
  'a concurrency limit with another lease': { ...p, algorithm: 'concurrency', windowMs: 5_000 },
}
const PAIRS = Object.keys(VERSIONS).flatMap((one, i, all) =>
  all.slice(i + 1).map((other) => [one, other] as const),
)
const versionOf = (name: string) => VERSIONS[name] ?? p
const quotaOf = (name: string) => Number(versionOf(name).quota)

/** The number of 60 takes that each admits, in turn. */
async function admitted(limiters: readonly RateLimiter[], takes = 60) {
  const counts = limiters.map(() => 0)
  for (let i = 0; i < takes; i += 1) {
    for (const [at, limiter] of limiters.entries()) {
      const { outcome } = await limiter.take(['p'], { ip })
      if (outcome === 'allowed') counts[at] = (counts[at] ?? 0) + 1
    }
  }
  return counts
}
const left = async (limiter: RateLimiter) =>
  (await limiter.peek(['p'], { ip })).limits[0]?.remaining

/** The tests of two releases whose policies of one name differ. */
export function describeReleases(open: Open, isShared: boolean): void {
  async function openBoth(one: string, other: string) {
    const opened = await open(versionOf(one))
    const beside = required(opened.beside, 'beside')
    return [opened.limiter, await beside([versionOf(other)])] as const
  }
  test.runIf(isShared).each(PAIRS)(
    'R12: with %s in one release and %s in the next, each admits units and at most its quota',
    async (one, other) => {
      const both = await openBoth(one, other)
      const counts = await admitted(both)
      const most = [quotaOf(one), quotaOf(other)]
      for (const [at, count] of counts.entries()) expect(count).toBeLessThanOrEqual(most[at] ?? 0)
      expect(counts[0]).toBeGreaterThan(0)
      expect(await admitted(both)).toEqual([0, 0])
    },
  )

  test.each(PAIRS)(
    'R12: when %s changes to %s and back with each take, at most the sum of both quotas is admitted',
    async (one, other) => {
      const { limiter } = await open(versionOf(one))
      let count = 0
      for (let i = 0; i < 100; i += 1) {
        limiter.setPolicies([versionOf(i % 2 === 0 ? one : other)])
        if ((await limiter.take(['p'], { ip })).outcome === 'allowed') count += 1
      }
      expect(count).toBeGreaterThan(0)
      expect(count).toBeLessThanOrEqual(quotaOf(one) + quotaOf(other))
    },
  )

  test.runIf(isShared).each(PAIRS)(
    'R12: with %s in one release and %s in the next, a block, an unblock and a reset by one apply to the other',
    async (one, other) => {
      const [first, second] = await openBoth(one, other)
      await admitted([first, second])
      await second.block(['p'], { ip }, 60_000)
      await first.reset(['p'], { ip })
      expect([await left(first), await left(second)]).toEqual([quotaOf(one), quotaOf(other)])
      await first.block(['p'], { ip }, 60_000)
      expect((await second.take(['p'], { ip })).outcome).toBe('limited')
      await second.unblock(['p'], { ip })
      expect((await first.take(['p'], { ip })).outcome).toBe('allowed')
      const { limited, blocked } = await first.report()
      expect(limited).toMatchObject([{ policy: 'p', id: ip }])
      expect(blocked).toEqual([])
    },
  )

  test.runIf(isShared).each(PAIRS.filter((pair) => !pair.join().includes('concurrency')))(
    'R12: with %s in one release and %s in the next, a reward by one applies to the other',
    async (one, other) => {
      const [first, second] = await openBoth(one, other)
      await first.penalize(['p'], { ip }, quotaOf(one))
      await second.penalize(['p'], { ip }, quotaOf(other))
      await first.reward(['p'], { ip }, 100)
      expect([await left(first), await left(second)]).toEqual([quotaOf(one), quotaOf(other)])
    },
  )
}
