import { expect, test } from 'vitest'
import { base, ip, type Open } from './open.ts'

/** The tests that change limits in force. */
export function describeControl(open: Open): void {
  test('a quota of 0 refuses, Infinity allows, and a caller may have another quota', async () => {
    const { limiter, admitted } = await open(
      { ...base, name: 'none', quota: 0 },
      { ...base, name: 'all', quota: Infinity },
      { ...base, name: 'p', quota: 2 },
    )
    expect(await admitted(3, ['none'])).toBe(0)
    expect(await admitted(50, ['all'])).toBe(50)
    expect(await admitted(5, ['p'])).toBe(2)
    const vip = await limiter.take(['p'], { ip }, { quotas: { p: 5 } })
    expect(vip).toMatchObject({ outcome: 'allowed', limits: [{ quota: 5, remaining: 2 }] })
    const bad = limiter.take(['p'], { ip }, { quotas: { p: -1 } })
    await expect(bad).rejects.toMatchObject({ code: 'bad-quota' })
  })

  test('the lists allow and deny are applied without a count', async () => {
    const { admitted } = await open({
      ...base,
      name: 'p',
      quota: 1,
      allow: [ip],
      deny: ['192.0.2.1'],
    })
    expect(await admitted(5, ['p'])).toBe(5)
    expect(await admitted(5, ['p'], { ip: '192.0.2.1' })).toBe(0)
  })

  test('a shadow policy counts and reports its refusal, and refuses no request', async () => {
    const { limiter, admitted } = await open(
      { ...base, name: 'dark', quota: 2, shadow: true },
      { ...base, name: 'p', quota: 5 },
    )
    expect(await admitted(3, ['dark', 'p'])).toBe(3)
    const fourth = await limiter.take(['dark', 'p'], { ip })
    expect(fourth).toMatchObject({ outcome: 'allowed', violated: [], shadowed: ['dark'] })
    expect(fourth.limits.map(({ remaining }) => remaining)).toEqual([0, 1])
  })

  test.each(['sliding', 'token-bucket', 'fixed'] as const)(
    'with %s, penalize exceeds the quota, reward ends at 0, and reset clears the count',
    async (algorithm) => {
      const { limiter, admitted, advance } = await open({
        ...base,
        name: 'p',
        quota: 4,
        algorithm,
      })
      const left = async () => (await limiter.peek(['p'], { ip })).limits[0]?.remaining
      await limiter.penalize(['p'], { ip }, 6)
      expect(await left()).toBe(0)
      await limiter.reward(['p'], { ip }, 3)
      expect(await left()).toBe(1)
      await limiter.reward(['p'], { ip }, 100)
      expect(await left()).toBe(4)
      expect(await admitted(9, ['p'])).toBe(4)
      await limiter.reset(['p'], { ip })
      expect(await admitted(9, ['p'])).toBe(4)
      await advance(200_000)
      expect(await left()).toBe(4)
    },
  )

  test('a blocked key is refused until the block ends or is lifted', async () => {
    const { limiter, admitted, advance } = await open({ ...base, name: 'p', quota: 99 })
    await limiter.block(['p'], { ip }, 30_000)
    const { outcome, retryAfterMs } = await limiter.take(['p'], { ip })
    expect(outcome).toBe('limited')
    expect(retryAfterMs).toBeGreaterThan(25_000)
    expect((await limiter.report()).blocked).toMatchObject([{ policy: 'p', id: ip }])
    await limiter.unblock(['p'], ip)
    expect(await admitted(3, ['p'])).toBe(3)
    await limiter.block(['p'], { ip }, 1_000)
    await advance(5_000)
    expect(await admitted(3, ['p'])).toBe(3)
    await expect(limiter.block(['p'], { ip }, 0)).rejects.toMatchObject({ code: 'bad-duration' })
  })

  test('a concurrency limit admits its quota at a time, and slots end by release or with their lease', async () => {
    const { limiter, admitted, advance } = await open({
      ...base,
      name: 'p',
      quota: 2,
      algorithm: 'concurrency',
    })
    const one = await limiter.take(['p'], { ip })
    expect(await admitted(3, ['p'])).toBe(1)
    await one.release()
    await one.release()
    expect(await admitted(3, ['p'])).toBe(1)
    await advance(60_001)
    expect(await admitted(3, ['p'])).toBe(2)
  })

  test('keys of any length and bytes are counted apart', async () => {
    const { admitted, limiter } = await open({ ...base, name: 'p', by: 'user', quota: 1 })
    const long = 'x'.repeat(100_000)
    const ids = [
      'a',
      'a:b',
      '{a}',
      '\0',
      '\n',
      '#a',
      '"',
      '\\',
      '\u{d800}',
      '\u{d801}',
      'ü'.repeat(20),
    ]
    for (const user of [...ids, long, `${long}y`, ' ', '%', '日本語'.repeat(9)]) {
      expect([user.slice(0, 9), await admitted(2, ['p'], { user })]).toEqual([user.slice(0, 9), 1])
    }
    await expect(limiter.take(['q'], { ip })).rejects.toMatchObject({ code: 'unknown-policy' })
  })

  test('arguments that are not valid are refused with a code, and count nothing', async () => {
    const { limiter } = await open({ ...base, name: 'p', quota: 5 })
    const twenty = Array.from({ length: 20 }, () => 'p')
    await expect(limiter.take(twenty, { ip })).rejects.toMatchObject({ code: 'bad-argument' })
    const all = Array.from({ length: 101 }, (_, i) => `p${i}`)
    await expect(limiter.take(all, { ip })).rejects.toMatchObject({ code: 'bad-argument' })
    const report = limiter.report({ minutes: Number.NaN })
    await expect(report).rejects.toMatchObject({ code: 'bad-argument' })
    const quotas = { p: Number.NaN }
    const take = limiter.take(['p'], { ip }, { quotas })
    await expect(take).rejects.toMatchObject({ code: 'bad-quota' })
    expect((await limiter.peek(['p'], { ip })).limits).toMatchObject([{ remaining: 5 }])
  })

  test('an identifier of any length is counted with the dimension of the same text', async () => {
    const { limiter } = await open({ ...base, name: 'p', by: 'user', quota: 9 })
    for (const user of ['u', '#', '#a', '\u{d800}', 'x'.repeat(1_000_000)]) {
      await limiter.take(['p'], { user })
      const { limits } = await limiter.take(['p'], user)
      expect([user.slice(0, 9), limits[0]?.remaining]).toEqual([user.slice(0, 9), 7])
    }
    await limiter.block(['p'], { user: 'y'.repeat(40) }, 60_000)
    const [blocked] = (await limiter.report()).blocked
    expect((await limiter.take(['p'], blocked?.id ?? '')).outcome).toBe('limited')
  })

  test('R9: new policies apply from the next take on, and policies with a fault change nothing', async () => {
    const { limiter, admitted } = await open({ ...base, name: 'p', quota: 2 })
    expect(await admitted(3, ['p'])).toBe(2)
    const faulty = [
      { ...base, name: 'p', quota: -1 },
      { name: 'Q!', by: 'ip', windowMs: 1 },
    ]
    const refused = limiter.setPolicies(faulty)
    expect(refused).toMatchObject({ outcome: 'invalid' })
    expect(limiter.policies()).toMatchObject([{ name: 'p', quota: 2 }])
    expect(limiter.setPolicies([{ ...base, name: 'p', quota: 5 }])).toMatchObject({
      outcome: 'valid',
    })
    expect(await admitted(9, ['p'])).toBe(3)
  })

  test('the report contains the outcomes of each policy and the most limited identifiers', async () => {
    const { limiter, admitted } = await open({ ...base, name: 'p', quota: 2 })
    await admitted(5, ['p'])
    await admitted(3, ['p'], { ip: '192.0.2.1' })
    expect(await limiter.report()).toEqual({
      policies: [{ policy: 'p', allowed: 4, limited: 4, unavailable: 0 }],
      limited: [
        { policy: 'p', id: ip, count: 3 },
        { policy: 'p', id: '192.0.2.1', count: 1 },
      ],
      blocked: [],
    })
  })

  test('from 100 concurrent takes the quota is allowed, and each has its own remaining units', async () => {
    const { limiter } = await open({ ...base, name: 'p', quota: 40 })
    const decisions = await Promise.all(
      Array.from({ length: 100 }, () => limiter.take(['p'], { ip })),
    )
    const left = decisions
      .filter(({ outcome }) => outcome === 'allowed')
      .map(({ limits }) => limits[0]?.remaining)
    expect(left).toEqual(Array.from({ length: 40 }, (_, i) => 39 - i))
  })
}
