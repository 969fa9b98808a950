import { expect, test } from '@repo/testing'
import { connectLimiterRedis, createRateLimiter } from './index.ts'

test('deployments with different prefixes, or in different databases, count apart', async ({
  redisUrl,
}) => {
  const places = [
    { url: redisUrl },
    { url: redisUrl, prefix: 'other' },
    { url: `${redisUrl}/1` },
    { url: `${redisUrl}/1`, prefix: 'other' },
  ]
  const policies = [{ name: 'ip', by: 'ip', quota: 3, windowMs: 60_000 }]
  for (const place of places) {
    const redis = connectLimiterRedis({ ...place, name: 'test', deadlineMs: 2_000 })
    await redis.ready()
    const limiter = createRateLimiter({ redis, policies, denyCacheKeys: 0 })
    const outcomes = []
    for (let i = 0; i < 4; i += 1) {
      outcomes.push((await limiter.take(['ip'], { ip: '192.0.2.1' })).outcome)
    }
    expect(outcomes).toEqual(['allowed', 'allowed', 'allowed', 'limited'])
    await limiter.block(['ip'], { ip: '192.0.2.2' }, 5_000)
    const { blocked } = await limiter.report()
    expect(blocked).toMatchObject([{ policy: 'ip', id: expect.any(String) }])
    await limiter.close()
    await redis.close()
  }
})
