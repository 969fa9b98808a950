import { describe, expect, test } from 'vitest'
import { describeConditions } from './conditions.ts'
import { describeControl } from './control.ts'
import { describeLeases } from './leases.ts'
import { base, ip, opening, type OpenLimiter } from './open.ts'
import { describeReleases } from './releases.ts'

export type { OpenLimiter } from './open.ts'

/**
 * The tests that every driver of the limiter must pass. Call it in a test file with the driver.
 *
 * @param isShared whether several instances share the store of the driver: `openLimiter` then returns
 * `beside`, `deadlineMs` and `refuse`, and the tests that need them run
 */
export function describeConformance(
  driver: string,
  openLimiter: OpenLimiter,
  { isShared }: { isShared: boolean },
): void {
  describe(`a limiter in ${driver}`, () => {
    const open = opening(openLimiter)

    test('R1: a burst before and one after a boundary of a sliding window together receive the quota', async () => {
      const { admitted, advance } = await open({ ...base, name: 'p', quota: 10 })
      for (const ms of [0, 59_000, 900]) {
        await advance(ms)
        expect(await admitted(20, ['p'])).toBe(ms === 0 ? 10 : 0)
      }
      await advance(4_000)
      expect(await admitted(20, ['p'])).toBe(10)
    })

    test.each(['sliding', 'token-bucket', 'fixed'] as const)(
      'with %s, the next take is allowed after retryAfterMs and not before',
      async (algorithm) => {
        const { limiter, admitted, advance } = await open({
          ...base,
          name: 'p',
          quota: 3,
          algorithm,
        })
        expect(await admitted(3, ['p'])).toBe(3)
        const refused = await limiter.take(['p'], { ip })
        expect(refused).toMatchObject({ outcome: 'limited', violated: ['p'] })
        expect(refused.limits).toMatchObject([{ policy: 'p', quota: 3, remaining: 0 }])
        await advance(refused.retryAfterMs - 2)
        expect((await limiter.peek(['p'], { ip })).outcome).toBe('limited')
        await advance(2)
        expect((await limiter.take(['p'], { ip })).outcome).toBe('allowed')
      },
    )

    test('a new fixed window of the clock begins with the whole quota', async () => {
      const { admitted, limiter, advance } = await open({
        ...base,
        name: 'p',
        quota: 3,
        algorithm: 'fixed',
      })
      await admitted(3, ['p'])
      await advance((await limiter.peek(['p'], { ip })).retryAfterMs)
      expect(await admitted(5, ['p'])).toBe(3)
    })

    test('a token bucket admits the quota at once, then one unit for each part of the window', async () => {
      const { admitted, advance } = await open({
        ...base,
        name: 'p',
        quota: 6,
        algorithm: 'token-bucket',
      })
      expect(await admitted(10, ['p'])).toBe(6)
      await advance(10_000)
      expect(await admitted(10, ['p'])).toBe(1)
      await advance(25_000)
      expect(await admitted(10, ['p'])).toBe(2)
    })

    test('R3: a refused request charges nothing to its other dimensions', async () => {
      const { limiter, admitted } = await open(
        { ...base, name: 'tight', quota: 1 },
        { ...base, name: 'user', by: 'user', quota: 200 },
        { ...base, name: 'bucket', by: 'client', quota: 200, algorithm: 'token-bucket' },
        { ...base, name: 'route', by: 'route', quota: 200, algorithm: 'fixed' },
      )
      const subject = { ip, user: 'u', client: 'c', route: '/r' }
      const names = ['user', 'bucket', 'tight', 'route']
      expect(await admitted(101, names, subject)).toBe(1)
      const { limits } = await limiter.peek(['user', 'bucket', 'route'], subject)
      expect(limits.map(({ remaining }) => remaining)).toEqual([199, 199, 199])
    })

    test('R4: a missing dimension is skipped, and requests without it share no bucket', async () => {
      const { limiter, admitted } = await open({
        ...base,
        name: 'p',
        by: ['user', 'route'],
        quota: 1,
      })
      expect(await admitted(5, ['p'], { route: '/r' })).toBe(5)
      expect(await admitted(5, ['p'], { user: '', route: '/r' })).toBe(5)
      expect(await admitted(2, ['p'], { user: 'undefined', route: '/r' })).toBe(1)
      expect((await limiter.take(['p'], {})).limits).toEqual([])
    })

    test('a cost is charged as a whole or not at all, and a cost over the quota is never allowed', async () => {
      const { limiter } = await open({ ...base, name: 'p', quota: 10 })
      const take = (cost: number) => limiter.take(['p'], { ip }, { cost })
      expect(await take(8)).toMatchObject({ outcome: 'allowed', limits: [{ remaining: 2 }] })
      expect(await take(5)).toMatchObject({ outcome: 'limited', limits: [{ remaining: 2 }] })
      expect(await take(2)).toMatchObject({ outcome: 'allowed', limits: [{ remaining: 0 }] })
      expect(await take(0)).toMatchObject({ outcome: 'allowed', limits: [{ remaining: 0 }] })
      expect(await take(11)).toMatchObject({ outcome: 'limited', retryAfterMs: Infinity })
      for (const cost of [-1, Number.NaN, 0.5, Infinity]) {
        await expect(take(cost)).rejects.toMatchObject({ code: 'bad-cost' })
      }
    })

    describeControl(open)
    describeLeases(open)
    describeReleases(open, isShared)
    describeConditions(open, isShared)
  })
}
