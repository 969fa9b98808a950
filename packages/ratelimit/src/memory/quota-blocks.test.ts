import path from 'node:path'
import { describe, expect, test } from '@repo/testing'
import { makeMutant } from '../mutants.fixture.ts'
import { parsePolicies } from '../policy.ts'
import { createMemoryRateLimiter } from './memory-rate-limiter.ts'

const QUOTA = 100
const WINDOW_MS = 1_000
const lease = { units: 10, ms: 200 }
const policies = [{ name: 'hot', quota: QUOTA, windowMs: WINDOW_MS, by: 'key', lease }]

/** How long after the one before, and how many takes; after twelve there is a lease. */
type Step = [afterMs: number, takes: number]
const ATTACKS: Step[][] = [
  // At its very end, then all units that are left.
  [[0, 12], [195, 8], ...[20, 790, 10, 100, 100, 200, 1, 500].map((ms): Step => [ms, 2 * QUOTA])],
  // When the store no longer counts it.
  [
    [0, 12],
    [1_500, 2 * QUOTA],
    [300, 2 * QUOTA],
  ],
]

/** The largest number of admissions in one window of the attack. */
async function mostInAWindow(create: typeof createMemoryRateLimiter): Promise<number> {
  return Math.max(...(await Promise.all(ATTACKS.map((steps) => attack(create, steps)))))
}

async function attack(create: typeof createMemoryRateLimiter, steps: Step[]): Promise<number> {
  let nowMs = 1_000_000
  const limiter = create({ policies, now: () => nowMs })
  const admittedAtMs: number[] = []
  for (const [afterMs, takes] of steps) {
    nowMs += afterMs
    for (let i = 0; i < takes; i += 1) {
      const { outcome } = await limiter.take(['hot'], { key: 'k' })
      if (outcome === 'allowed') admittedAtMs.push(nowMs)
    }
  }
  const within = (fromMs: number) =>
    admittedAtMs.filter((atMs) => atMs >= fromMs && atMs < fromMs + WINDOW_MS).length
  return Math.max(...admittedAtMs.map(within))
}

describe('leases of a quota', () => {
  test('R11: no window admits more than the quota from quota blocks that are used as late as possible', async () => {
    expect(await mostInAWindow(createMemoryRateLimiter)).toBeLessThanOrEqual(QUOTA)
  })

  for (const mutant of [
    'a block that is counted for the window alone',
    'a block without an end',
    'a block that is never used up',
  ]) {
    test(`a program with ${mutant} is caught`, async () => {
      const { source, remove } = await makeMutant(mutant)
      try {
        const copy: { createMemoryRateLimiter: typeof createMemoryRateLimiter } = await import(
          path.join(path.dirname(source), 'memory', 'memory-rate-limiter.ts')
        )
        expect(await mostInAWindow(copy.createMemoryRateLimiter)).toBeGreaterThan(QUOTA)
      } finally {
        await remove()
      }
    })
  }

  test('quota blocks need a sliding window that is no shadow, and fit in its window and quota', () => {
    const base = { name: 'p', quota: 5, windowMs: 100, by: 'ip' }
    for (const policy of [
      { ...base, lease: { units: 2, ms: 50 }, algorithm: 'fixed' },
      { ...base, lease: { units: 2, ms: 50 }, shadow: true },
      { ...base, lease: { units: 2, ms: 101 } },
      { ...base, lease: { units: 6, ms: 50 } },
    ]) {
      expect(parsePolicies([policy])).toMatchObject({
        outcome: 'invalid',
        faults: [expect.stringContaining('"p", lease: ')],
      })
    }
  })
})
