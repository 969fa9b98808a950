import { expect, test } from 'vitest'
import { base, ip, type Open } from './open.ts'

const hot = { ...base, name: 'hot', quota: 100, lease: { units: 10, ms: 1_000 } } as const

/** The tests of quota blocks. They are the same for a store without round trips. */
export function describeLeases(open: Open): void {
  /** Opens a limiter with a block of the key: ten takes make it hot. */
  async function openHot(...policies: Parameters<Open>) {
    const opened = await open(hot, ...policies)
    expect(await opened.admitted(10, ['hot'])).toBe(10)
    // The block is reserved after the verdict, and may be in flight for a moment.
    await expect
      .poll(async () => (await opened.limiter.peek(['hot'], { ip })).limits[0]?.remaining)
      .toBe(80)
    return opened
  }

  test('a hot key is admitted from a quota block, with the same limits as from the store', async () => {
    const { limiter } = await openHot()
    for (let left = 89; left > 79; left -= 1) {
      const decision = await limiter.take(['hot'], { ip })
      expect(decision).toMatchObject({ outcome: 'allowed', source: 'lease', violated: [] })
      expect(decision.limits).toMatchObject([{ policy: 'hot', quota: 100, remaining: left }])
    }
    expect((await limiter.take(['hot'], { ip })).source).not.toBe('lease')
    expect(limiter.stats()).toMatchObject({ allowed: 21, fromLease: 10 })
  })

  test('takeNow decides a take from a quota block at once, and each take is counted once', async () => {
    const { limiter } = await openHot()
    for (let left = 89; left > 79; left -= 1) {
      const decision = limiter.takeNow(['hot'], { ip })
      expect(decision).not.toBeInstanceOf(Promise)
      expect(await decision).toMatchObject({ outcome: 'allowed', source: 'lease' })
      expect((await decision).limits).toMatchObject([{ policy: 'hot', remaining: left }])
    }
    const counted = limiter.takeNow(['hot'], { ip })
    expect(counted).toBeInstanceOf(Promise)
    expect(await counted).toMatchObject({ outcome: 'allowed' })
    expect(limiter.stats()).toMatchObject({ allowed: 21, fromLease: 10 })
    expect(() => limiter.takeNow(['hot', 'hot'], { ip })).toThrow('is named twice')
  })

  test('takeNow decides at once when no policy counts the request or the policy refuses all', async () => {
    const { limiter } = await open(
      { ...base, name: 'none', quota: 0 },
      { ...base, name: 'u', by: 'user', quota: 1 },
    )
    expect(limiter.takeNow(['u'], { ip })).toMatchObject({ outcome: 'allowed', source: 'policy' })
    expect(limiter.takeNow(['none'], { ip })).toMatchObject({
      outcome: 'limited',
      source: 'policy',
    })
    expect(limiter.stats()).toMatchObject({ allowed: 1, limited: 1 })
  })

  test('the unused units of a quota block are lost when its time has ended', async () => {
    const { limiter, advance } = await openHot()
    expect((await limiter.take(['hot'], { ip })).source).toBe('lease')
    await advance(1_000)
    const late = await limiter.take(['hot'], { ip })
    expect([late.outcome, late.limits[0]?.remaining]).toEqual(['allowed', 79])
    expect(late.source).not.toBe('lease')
  })

  test('R11: a unit of a quota block counts until no window can contain its admission', async () => {
    const { admitted, advance } = await openHot()
    await advance(999)
    expect(await admitted(200, ['hot'])).toBe(90)
    // The first hundred were counted a window ago, and some were admitted since.
    await advance(59_100)
    expect(await admitted(200, ['hot'])).toBe(0)
    await advance(2_000)
    expect(await admitted(200, ['hot'])).toBe(100)
  })

  test('R3: a request that another policy refuses takes no unit from a quota block', async () => {
    const { limiter } = await openHot({ ...base, name: 'user', by: 'user', quota: 1 })
    const subject = { ip, user: 'u' }
    const both = await limiter.take(['hot', 'user'], subject)
    expect(both.limits.map(({ policy, remaining }) => [policy, remaining])).toEqual([
      ['hot', 89],
      ['user', 0],
    ])
    for (let i = 0; i < 30; i += 1) {
      expect(await limiter.take(['hot', 'user'], subject)).toMatchObject({
        outcome: 'limited',
        violated: ['user'],
      })
    }
    const { limits, source } = await limiter.take(['hot'], { ip })
    expect([source, limits[0]?.remaining]).toEqual(['lease', 88])
  })

  test('a policy that is named twice is refused, and takes no unit from a quota block', async () => {
    const { limiter } = await openHot()
    const twice = limiter.take(['hot', 'hot'], { ip })
    await expect(twice).rejects.toMatchObject({ code: 'bad-argument' })
    const { source, limits } = await limiter.take(['hot'], { ip })
    expect([source, limits[0]?.remaining]).toEqual(['lease', 89])
  })

  test('new policies end a quota block', async () => {
    const { limiter } = await openHot()
    limiter.setPolicies([{ ...hot, quota: 50 }])
    const { source, limits } = await limiter.take(['hot'], { ip })
    expect([source === 'lease', limits[0]?.remaining]).toEqual([false, 29])
  })

  test('a block and a reset end a quota block, and a take with another quota does not use it', async () => {
    const { limiter } = await openHot()
    const other = await limiter.take(['hot'], { ip }, { quotas: { hot: 15 } })
    expect([other.outcome, other.source === 'lease']).toEqual(['limited', false])
    await limiter.block(['hot'], { ip }, 60_000)
    expect((await limiter.take(['hot'], { ip })).outcome).toBe('limited')
    await limiter.reset(['hot'], { ip })
    const fresh = await limiter.take(['hot'], { ip })
    expect([fresh.source === 'lease', fresh.limits[0]?.remaining]).toEqual([false, 99])
  })
}
