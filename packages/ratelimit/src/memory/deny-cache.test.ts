import { type Bus, createBus } from '@repo/cache-broadcast'
import { connectRedis } from '@repo/redis'
import { describe, expect, test, until } from '@repo/testing'
import { Redis } from 'ioredis'
/* oxlint-disable no-empty-pattern -- vitest reads what a fixture needs from this very pattern */
import { connectLimiterRedis, createRateLimiter, type PolicyInput } from '../index.ts'
import { createRefusals } from './deny-cache.ts'

const policies: PolicyInput[] = [
  { name: 'p', quota: 3, windowMs: 60_000, by: 'ip' },
  { name: 'quick', quota: 3, windowMs: 200, by: 'ip' },
]

const instances = test.extend('join', async ({}, { onCleanup }) => {
  const closing: (() => Promise<void>)[] = []
  onCleanup(async () => {
    for (const close of closing.toReversed()) await close()
  })
  return async (url: string, instance: string, heard = true) => {
    const redis = connectLimiterRedis({ url, name: instance })
    const shared = connectRedis({ url, name: instance })
    await Promise.all([redis.ready(), shared.ready()])
    let bus: Bus | undefined
    if (heard) bus = createBus({ redis: shared, name: 'test', instance, maxStaleMs: 300 })
    await bus?.ready()
    const limiter = createRateLimiter({ redis, policies, bus })
    closing.push(
      () => redis.close(),
      () => shared.close(),
      async () => bus?.close(),
      () => limiter.close(),
    )
    return limiter
  }
})

async function scriptsRun(url: string): Promise<number> {
  const redis = new Redis(url)
  const stats = await redis.info('commandstats')
  await redis.quit()
  return Number(/^cmdstat_evalsha:calls=(\d+)/m.exec(stats)?.[1] ?? 0)
}

describe('a key that is refused', () => {
  instances('a cached refusal costs no round trip', async ({ ownValkey, join }) => {
    const limiter = await join(ownValkey.url, 'one', false)
    for (let i = 0; i < 4; i += 1) await limiter.take(['p'], { ip: '192.0.2.1' })
    const before = await scriptsRun(ownValkey.url)
    for (let i = 0; i < 500; i += 1) {
      const decision = await limiter.take(['p'], { ip: '192.0.2.1' })
      expect(decision).toMatchObject({ outcome: 'limited', source: 'deny-cache', violated: ['p'] })
    }
    // At most the report of the instance each second.
    expect((await scriptsRun(ownValkey.url)) - before).toBeLessThanOrEqual(2)
  })

  instances(
    'R7: once a reset on one instance has resolved, no instance refuses the key',
    async ({ redisUrl, join }) => {
      const [one, two, three] = await Promise.all(
        ['one', 'two', 'three'].map((instance) => join(redisUrl, instance)),
      )
      for (let round = 0; round < 20; round += 1) {
        const subject = { ip: `192.0.2.${round}` }
        for (let i = 0; i < 4; i += 1) await one!.take(['p'], subject)
        for (const limiter of [two!, three!])
          expect((await limiter.take(['p'], subject)).outcome).toBe('limited')
        // Refusals in flight during the reset must not be cached.
        const inFlight = Array.from({ length: 20 }, () => three!.take(['p'], subject))
        await two!.reset(['p'], subject)
        expect((await three!.peek(['p'], subject)).source).toBe('redis')
        await Promise.all(inFlight)
        await two!.reset(['p'], subject)
        for (const limiter of [one!, two!, three!])
          expect((await limiter.take(['p'], subject)).outcome).toBe('allowed')
      }
    },
  )

  instances(
    'R7: a block is applied from memory on every instance until it is lifted',
    async ({ redisUrl, join }) => {
      const [one, two] = await Promise.all(
        ['one', 'two'].map((instance) => join(redisUrl, instance)),
      )
      const subject = { ip: '198.51.100.1' }
      await one!.block(['p'], subject, 60_000)
      await until(async () => (await two!.take(['p'], subject)).source === 'deny-cache')
      await one!.unblock(['p'], subject)
      expect((await two!.take(['p'], subject)).outcome).toBe('allowed')
    },
  )

  instances(
    'R7: a refused key is allowed after retryAfterMs and not later',
    async ({ redisUrl, join }) => {
      const limiter = await join(redisUrl, 'one')
      for (let round = 0; round < 10; round += 1) {
        const subject = { ip: `198.51.100.${round}` }
        for (let i = 0; i < 3; i += 1) await limiter.take(['quick'], subject)
        const askedMs = performance.now()
        const { retryAfterMs } = await limiter.take(['quick'], subject)
        const answeredMs = performance.now()
        let sentMs = 0
        let lastRefusedMs = 0
        async function allowed() {
          lastRefusedMs = sentMs
          sentMs = performance.now()
          return (await limiter.take(['quick'], subject)).outcome === 'allowed'
        }
        await until(allowed, { everyMs: 1 })
        expect(performance.now() - askedMs).toBeGreaterThanOrEqual(retryAfterMs - 2)
        // A take that is sent at the time is not refused, however busy the machine is.
        expect(lastRefusedMs - answeredMs).toBeLessThan(retryAfterMs + 2)
      }
    },
  )
})

describe('the deny cache', () => {
  const refusal = { untilMs: 100, cost: 1, quota: 5 }

  test('the deny cache stays within its bound under a flood, and retains the key that is in use', () => {
    const cache = createRefusals(1_000)
    cache.add('kept', refusal, cache.mark)
    for (let i = 0; i < 50_000; i += 1) {
      cache.add(`k${i}`, refusal, cache.mark)
      if (i % 100 === 0) expect(cache.refusedMs('kept', 1, 5, 0)).toBe(100)
      expect(cache.size).toBeLessThanOrEqual(1_000)
    }
  })

  test('the deny cache does not refuse a lower cost, a higher quota, or a take after the end', () => {
    const cache = createRefusals(10)
    cache.add('k', { ...refusal, cost: 3 }, cache.mark)
    expect(cache.refusedMs('k', 3, 5, 40)).toBe(60)
    expect(cache.refusedMs('k', 2, 5, 40)).toBe(0)
    expect(cache.refusedMs('k', 3, 6, 40)).toBe(0)
    expect(cache.refusedMs('k', 3, 5, 100)).toBe(0)
  })

  test('R7: the deny cache stores no refusal from before its last deletion', () => {
    const cache = createRefusals(10)
    const { mark } = cache
    cache.forget(['k'])
    cache.add('k', refusal, mark)
    expect(cache.size).toBe(0)
  })
})
