import { createHistogram, createMetrics } from '@repo/observability'
import { expect, test, until } from '@repo/testing'
import { createMemoryRateLimiter } from './memory/memory-rate-limiter.ts'
import { limiterFigures, limiterRedisFigures } from './metrics.ts'
import { createRateLimiter } from './rate-limiter.ts'
import { connectLimiterRedis } from './redis/connection.ts'

const ip = { ip: '192.0.2.1' }

test('the figures contain the totals of the limiter at the time of a read', async () => {
  const policies = [{ name: 'p', quota: 2, windowMs: 60_000, by: 'ip' }]
  const limiter = createMemoryRateLimiter({ policies, now: () => 0 })
  const figures = limiterFigures(limiter).filter((figure) => 'read' in figure)
  for (let i = 0; i < 5; i += 1) await limiter.take(['p'], ip)
  expect(Object.fromEntries(figures.map(({ name, read }) => [name, read()]))).toEqual({
    threefold_ratelimit_allowed_total: 2,
    threefold_ratelimit_limited_total: 3,
    threefold_ratelimit_unavailable_total: 0,
    threefold_ratelimit_degraded_total: 0,
    threefold_ratelimit_remembered_total: 0,
    threefold_ratelimit_leased_total: 0,
    threefold_ratelimit_deny_cache_keys: 0,
    threefold_ratelimit_exact_ratio: 1,
  })
})

async function connect(url: string, policies: { name: string; [option: string]: unknown }[]) {
  const redis = connectLimiterRedis({ url, name: 'test-1' })
  await redis.ready()
  const base = { quota: 2, windowMs: 60_000, by: 'ip' }
  const limiter = createRateLimiter({
    redis,
    policies: policies.map((policy) => ({ ...base, ...policy })),
  })
  const metrics = createMetrics({ app: 'a', instance: 'i' })
  metrics.observe(limiterFigures(limiter))
  metrics.observe(limiterRedisFigures(redis, createHistogram))

  /** Returns the decisions of a scrape that are not 0: `policy decision` -> number. */
  async function decisions(): Promise<Record<string, number>> {
    const text = await metrics.registry.metrics()
    const lines = text.matchAll(
      /^threefold_ratelimit_decisions_total\{policy="(.*?)",decision="(.*?)",.*\} (.*)$/gm,
    )
    return Object.fromEntries(
      [...lines]
        .filter(([, , , value]) => value !== '0')
        .map(([, policy, decision, value]) => [`${policy} ${decision}`, Number(value)]),
    )
  }
  async function read(name: string): Promise<number> {
    const text = await metrics.registry.metrics()
    const series = new RegExp(`^threefold_redis_${name}\\{.*connection="limits".*\\} (.*)$`, 'm')
    return Number(series.exec(text)?.[1])
  }
  return {
    limiter,
    redis,
    decisions,
    read,
    async [Symbol.asyncDispose]() {
      await limiter.close()
      await redis.close()
    },
  }
}

test('a scrape shows the decisions of each policy, and a limit that the policy alone refuses as denied', async ({
  redisUrl,
}) => {
  await using instance = await connect(redisUrl, [
    { name: 'plain' },
    { name: 'listed', deny: ['192.0.2.9'] },
    { name: 'observed', shadow: true },
  ])
  const { limiter, decisions } = instance
  for (let i = 0; i < 5; i += 1) await limiter.take(['plain'], ip)
  for (let i = 0; i < 3; i += 1) await limiter.take(['listed'], { ip: '192.0.2.9' })
  for (let i = 0; i < 6; i += 1) await limiter.take(['observed'], ip)
  const expected = {
    'plain allowed': 2,
    'plain limited': 3,
    'listed denied': 3,
    'observed allowed': 2,
    'observed shadowed': 4,
  }
  expect(await decisions()).toEqual(expected)

  // A report of the activity does not change the counts, and has each take once.
  const { policies } = await limiter.report()
  expect(policies.find(({ policy }) => policy === 'plain')).toMatchObject({
    allowed: 2,
    limited: 3,
  })
  await limiter.take(['plain'], ip)
  expect(await decisions()).toEqual({ ...expected, 'plain limited': 4 })
  const again = await limiter.report()
  expect(again.policies.find(({ policy }) => policy === 'plain')).toMatchObject({
    allowed: 2,
    limited: 4,
  })
})

test('new policies continue the counts of the ones with their name, and a removed one has no series', async ({
  redisUrl,
}) => {
  await using instance = await connect(redisUrl, [{ name: 'stays' }, { name: 'leaves' }])
  const { limiter, decisions } = instance
  await limiter.take(['stays', 'leaves'], ip)
  expect(await decisions()).toEqual({ 'stays allowed': 1, 'leaves allowed': 1 })
  limiter.setPolicies([{ name: 'stays', quota: 9, windowMs: 60_000, by: 'ip' }])
  await limiter.take(['stays'], ip)
  expect(await decisions()).toEqual({ 'stays allowed': 2 })
})

test('a policy that becomes a shadow and back has each refusal in the decision of its time', async ({
  redisUrl,
}) => {
  const policy = { name: 'toggled', deny: ['192.0.2.9'] }
  await using instance = await connect(redisUrl, [policy])
  const { limiter, decisions } = instance
  const base = { ...policy, quota: 2, windowMs: 60_000, by: 'ip' }
  async function refuse(times: number) {
    for (let i = 0; i < times; i += 1) await limiter.take(['toggled'], ip)
    await limiter.take(['toggled'], { ip: '192.0.2.9' })
  }
  await refuse(3)
  const first = { 'toggled allowed': 2, 'toggled limited': 1, 'toggled denied': 1 }
  expect(await decisions()).toEqual(first)
  limiter.setPolicies([{ ...base, shadow: true }])
  expect(await decisions()).toEqual(first)
  await refuse(4)
  const second = { ...first, 'toggled shadowed': 5 }
  expect(await decisions()).toEqual(second)
  limiter.setPolicies([base])
  expect(await decisions()).toEqual(second)
  await refuse(1)
  expect(await decisions()).toEqual({ ...second, 'toggled limited': 2, 'toggled denied': 2 })
})

test('without Redis a policy that denies is unavailable in the scrape, and the connection is not connected', async ({
  ownValkey,
}) => {
  await using instance = await connect(ownValkey.url, [
    { name: 'denies', onUnavailable: 'deny' },
    { name: 'allows', onUnavailable: 'allow' },
  ])
  const { limiter, decisions, read } = instance
  await limiter.take(['denies'], ip)
  // The first command of a script is sent again with its text.
  expect(await read('command_seconds_count')).toBeGreaterThan(0)
  expect([await read('connected'), await read('breaker_open')]).toEqual([1, 0])
  await ownValkey.kill()
  await until(async () => (await read('connected')) === 0 && (await read('breaker_open')) === 1)
  await limiter.take(['denies'], ip)
  await limiter.take(['allows'], ip)
  expect(await decisions()).toMatchObject({
    'denies allowed': 1,
    'denies unavailable': 1,
    'allows allowed': 1,
  })
  await ownValkey.restart()
  await until(async () => (await read('breaker_open')) === 0)
  expect([await read('connected'), await read('reconnects_total')]).toEqual([1, 1])
})
