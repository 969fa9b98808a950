import { describe, expect, test, until } from '@repo/testing'
import { Redis } from 'ioredis'
import { connectLimiterRedis, createRateLimiter, type PolicyInput } from '../index.ts'

const base = { windowMs: 60_000, by: 'ip' }
const policies: PolicyInput[] = [
  { ...base, name: 'sliding', quota: 20 },
  { ...base, name: 'bucket', quota: 20, algorithm: 'token-bucket' },
  { ...base, name: 'fixed', quota: 20, algorithm: 'fixed' },
  { ...base, name: 'busy', quota: 20, algorithm: 'concurrency' },
  { ...base, name: 'user', by: 'user', quota: 5 },
  { ...base, name: 'lease', quota: 1, windowMs: 300, algorithm: 'concurrency' },
]
const all = ['sliding', 'bucket', 'fixed', 'busy']

const withStore = test.extend('store', async ({ redisUrl }, { onCleanup }) => {
  const redis = connectLimiterRedis({ url: redisUrl, name: 'test', deadlineMs: 2_000 })
  const direct = new Redis(redisUrl)
  await redis.ready()
  const limiters = [1, 2].map(() => createRateLimiter({ redis, policies, denyCacheKeys: 0 }))
  onCleanup(async () => {
    await Promise.all(limiters.map((each) => each.close()))
    await redis.close()
    await direct.quit()
  })
  return { limiter: limiters[0]!, other: limiters[1]!, direct, redis }
})

describe('in Redis', () => {
  withStore('R8: every key expires by itself, and all keys are in one slot', async ({ store }) => {
    const { limiter, direct } = store
    for (const ip of ['192.0.2.1', 'x'.repeat(5_000)]) {
      for (let i = 0; i < 3; i += 1) await limiter.take(all, { ip })
      await limiter.penalize(all, { ip }, 50)
      await limiter.reward(all, { ip }, 2)
      await limiter.block(['sliding'], { ip }, 5_000)
    }
    await limiter.report()
    const keys = await direct.keys('*')
    expect(keys.length).toBeGreaterThanOrEqual(10)
    for (const key of keys) {
      expect([key, (await direct.pttl(key)) > 0]).toEqual([key, true])
      expect(key).toMatch(/^threefold:\{rl\}:.{1,50}$/)
    }
  })

  withStore('100 takes of one tick are counted together in every dimension', async ({ store }) => {
    const { limiter, other } = store
    const decisions = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        (i % 2 === 0 ? limiter : other).take(['sliding', 'bucket', 'user'], {
          ip: '192.0.2.9',
          user: `u${i % 7}`,
        }),
      ),
    )
    expect(decisions.filter(({ outcome }) => outcome === 'allowed')).toHaveLength(20)
    const { limits } = await limiter.peek(['sliding', 'bucket'], { ip: '192.0.2.9' })
    expect(limits.map(({ remaining }) => remaining)).toEqual([0, 0])
  })

  withStore('900 keys in 2000 concurrent takes are all decided by Redis', async ({ store }) => {
    const { limiter } = store
    const takes = Array.from({ length: 2_000 }, (_, i) => limiter.take(all, { ip: `i${i % 900}` }))
    const sources = new Set((await Promise.all(takes)).map(({ source }) => source))
    expect(sources).toEqual(new Set(['redis']))
  })

  withStore('from 1000 concurrent takes of one key, the quota is allowed', async ({ store }) => {
    const { limiter } = store
    const subject = { ip: '192.0.2.4' }
    const takes = Array.from({ length: 1_000 }, () => limiter.take(['sliding'], subject))
    const decisions = await Promise.all(takes)
    expect(decisions.filter(({ outcome }) => outcome === 'allowed')).toHaveLength(20)
    expect((await limiter.peek(['sliding'], subject)).limits).toMatchObject([{ remaining: 0 }])
  })

  withStore(
    'a holder keeps its slot when a holder under a shorter window comes and goes',
    async ({ store }) => {
      const { direct, redis } = store
      const subject = { ip: '192.0.2.5' }
      const [long, short] = [60_000, 100].map((windowMs) => {
        const policy = {
          ...base,
          name: 'held',
          quota: 2,
          windowMs,
          algorithm: 'concurrency',
        } as const
        return createRateLimiter({ redis, policies: [policy] })
      })
      await long!.take(['held'], subject)
      const held = await short!.take(['held'], subject)
      const [key = ''] = await direct.keys('*:held~c:*')
      expect(await direct.pttl(key)).toBeGreaterThan(50_000)
      const firstEnd = async () => Number((await direct.zrange(key, '0', '0', 'WITHSCORES'))[1])
      const endMs = await firstEnd()
      // The shorter lease is renewed.
      await until(async () => (await firstEnd()) > endMs)
      expect(await direct.pttl(key)).toBeGreaterThan(50_000)
      await held.release()
      expect((await long!.peek(['held'], subject)).limits).toMatchObject([{ remaining: 1 }])
      await Promise.all([long!.close(), short!.close()])
    },
  )

  withStore('R10: a slot outlasts its window while its holder renews it', async ({ store }) => {
    const { limiter, other, direct } = store
    const held = await limiter.take(['lease'], { ip: '192.0.2.3' })
    const key = (await direct.keys('*:lease~c:*'))[0]!
    const [, first] = await direct.zrange(key, '0', '-1', 'WITHSCORES')
    await expect
      .poll(async () => Number((await direct.zrange(key, '0', '-1', 'WITHSCORES'))[1]))
      .toBeGreaterThan(Number(first) + 400)
    expect((await other.take(['lease'], { ip: '192.0.2.3' })).outcome).toBe('limited')
    await held.release()
    expect((await other.take(['lease'], { ip: '192.0.2.3' })).outcome).toBe('allowed')
  })
})
