import { describe, expect, findRawErrors, findRawErrorsOfOptions, test } from '@repo/testing'
import { rateLimit } from './http/hono.ts'
import {
  canonicalIp,
  connectLimiterRedis,
  createGuard,
  createRateLimiter,
  groupIp,
  limiterFigures,
  type LimiterRedis,
  parseIp,
  parsePolicies,
  problemBody,
  problemOf,
  rateLimitHeaders,
  RateLimitError,
} from './index.ts'
import { createMemoryRateLimiter } from './memory/memory-rate-limiter.ts'
import { openOnRedis } from './open.fixture.ts'
import type { Decision } from './types.ts'

const isCoded = (error: unknown) => error instanceof RateLimitError
const policies = [
  { name: 'p', quota: 5, windowMs: 60_000, by: 'ip' },
  { name: 'both', quota: 5, windowMs: 60_000, by: ['user', 'route'] },
  { name: 'constructor', quota: 5, windowMs: 60_000, by: 'constructor' },
]
const ip = '192.0.2.1'

describe('a limiter that is called with hostile values', () => {
  test('a hostile value in any argument of a limiter causes a result or a coded error, and no count', async ({
    redisUrl,
  }) => {
    const redis = await openOnRedis(redisUrl, policies)
    for (const limiter of [redis.limiter, createMemoryRateLimiter({ policies })]) {
      const calls: Record<string, (value: never) => unknown> = {
        policies: (value) => limiter.take(value, { ip }),
        policy: (value) => limiter.take([value], { ip }),
        subject: (value) => limiter.take(['p', 'both', 'constructor'], value),
        dimension: (value) => limiter.take(['both'], { user: value, route: value }),
        options: (value) => limiter.peek(['p'], { ip }, value),
        cost: (value) => limiter.peek(['p'], { ip }, { cost: value }),
        quotas: (value) => limiter.peek(['p'], { ip }, { quotas: value }),
        quota: (value) => limiter.peek(['p', 'constructor'], { ip }, { quotas: { p: value } }),
        'policies of reset': (value) => limiter.reset(value, { ip: '192.0.2.2' }),
        'subject of reset': (value) => limiter.reset(['both'], value),
        'policies of block': (value) => limiter.block(value, { ip: '192.0.2.2' }, 1_000),
        'duration of block': (value) => limiter.block(['p'], { ip: '192.0.2.2' }, value),
        'policies of unblock': (value) => limiter.unblock(value, { ip: '192.0.2.2' }),
        'policies of penalize': (value) => limiter.penalize(value, { ip: '192.0.2.3' }, 1),
        'cost of penalize': (value) => limiter.penalize(['p'], { ip: '192.0.2.3' }, value),
        'cost of reward': (value) => limiter.reward(['p'], { ip: '192.0.2.3' }, value),
        'options of report': (value) => limiter.report(value),
        minutes: (value) => limiter.report({ minutes: value }),
        top: (value) => limiter.report({ top: value }),
        'new policies': (value) => limiter.setPolicies([{ ...policies[0]!, quota: value }]),
      }
      for (const [name, call] of Object.entries(calls)) {
        expect([name, await findRawErrors(call, { isCoded })]).toEqual([name, []])
        if (name === 'new policies') limiter.setPolicies(policies)
      }
      const { limits } = await limiter.peek(['p'], { ip })
      expect(limits).toMatchObject([{ quota: 5, remaining: 5 }])
    }
    await redis.limiter.close()
  })

  test('an identifier of 1 MB is counted under a name of at most 60 bytes', async ({
    redisUrl,
  }) => {
    const { limiter, direct } = await openOnRedis(redisUrl, policies)
    const long = 'x'.repeat(1_000_000)
    for (const subject of [long, '\ud800', '\ud801', { ip: long }, { ip: '\ud800' }]) {
      const { limits } = await limiter.take(['p'], subject)
      expect(limits).toMatchObject([{ remaining: typeof subject === 'string' ? 4 : 3 }])
    }
    for (const key of await direct.keys('*')) expect(key.length).toBeLessThan(60)
    await limiter.close()
  })

  test('a take that names a policy twice is refused and counts nothing', async () => {
    const limiter = createMemoryRateLimiter({ policies })
    const twenty = Array.from({ length: 20 }, () => 'p')
    for (const call of [
      limiter.take(twenty, { ip }),
      limiter.penalize(['p', 'p'], { ip }, 1),
      limiter.reset(['p', 'both', 'p'], { ip, user: 'u', route: 'r' }),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'bad-argument', message: /"p"/ })
    }
    expect((await limiter.peek(['p'], { ip })).limits).toMatchObject([{ remaining: 5 }])
  })
})

describe('a function of the package that gets hostile options', () => {
  const redis = { available: () => true, run: () => 0, runPieces: () => 0, runText: () => 0 }

  test('a hostile option causes a result or a coded error that names the option', async ({
    redisUrl,
  }) => {
    const bus = { on: () => () => undefined, emit: () => undefined, health: () => ({}) }
    const limiter = createMemoryRateLimiter({ policies })
    const { keys } = connectionOf(redisUrl)
    const limits = { ipv6Prefix: 56, observe: () => undefined, replicas: () => 1 } as const
    const functions: [valid: object, create: (options: never) => unknown][] = [
      [{ redis: { ...redis, keys }, bus, denyCacheKeys: 5, ...limits }, createLimiterAndClose],
      [{ ...limits, maxKeys: 5, replicas: 1, now: () => 5 }, createInMemory],
      [{ limiter, policies: ['p'] }, createGuard],
      [{ limiter, policies: ['p'], dimensions: () => ({}), options: () => ({}) }, rateLimit],
      [{ url: redisUrl, name: 'a', deadlineMs: 150, prefix: 'p' }, connectAndClose],
      [{ log: { info: () => undefined, warn: () => undefined } }, connectTo(redisUrl)],
      [{ sentinels: ['127.0.0.1:1'], sentinelTls: false }, connectTo('redis://primary')],
      [{ sentinelUsername: 'u', sentinelPassword: 'p' }, connectTo(redisUrl)],
      [{ clusterNodes: ['127.0.0.1:1'] }, connectTo(redisUrl)],
    ]
    for (const [valid, create] of functions) {
      expect(
        await findRawErrorsOfOptions(valid, (options) => callWith(create, options), { isCoded }),
      ).toEqual([])
    }
    for (const create of [createRateLimiter, createMemoryRateLimiter, createGuard, rateLimit]) {
      expect(await findRawErrors(create, { isCoded })).toEqual([])
    }
    expect(await findRawErrors(connectLimiterRedis, { isCoded })).toEqual([])
    const redisConnection = connectionOf(redisUrl)
    const ready = (timeoutMs: number) => redisConnection.ready(timeoutMs)
    const except = ['undefined', '2 ** 31']
    expect(await findRawErrors(ready, { isCoded, except })).toEqual([])
  })

  test('a hostile argument of a function causes a result or a coded error', async () => {
    const decision = await createMemoryRateLimiter({ policies }).take(['p'], { ip })
    const calls: Record<string, (value: never) => unknown> = {
      parsePolicies,
      rateLimitHeaders,
      problemOf,
      problemBody,
      canonicalIp,
      parseIp,
      groupIp,
      prefix: (value) => groupIp('::1', value),
      limiterFigures,
      limits: (limits) => rateLimitHeaders({ ...decision, limits }),
      outcome: (outcome) => problemOf({ ...decision, outcome }),
    }
    for (const [name, call] of Object.entries(calls)) {
      expect([name, await findRawErrors(call, { isCoded })]).toEqual([name, []])
    }
  })
})

describe('a callback that fails', () => {
  test('an observer that fails changes no decision and ends no process', async () => {
    const observers: (() => unknown)[] = [throwing, () => Promise.reject(new Error('a bug'))]
    for (const observer of observers) {
      const limiter = createMemoryRateLimiter({ policies, observe: () => observer() })
      const { outcome } = await limiter.take(['p'], { ip })
      expect([outcome, limiter.stats().allowed]).toEqual(['allowed', 1])
    }
  })

  test('a replicas callback that fails leaves the last number of replicas in force', async ({
    redisUrl,
  }) => {
    const redisThatFails: LimiterRedis = { ...connectionOf(redisUrl), available: () => false }
    const counters: (() => number)[] = [
      () => 2,
      () => Number.NaN,
      () => -1,
      () => Infinity,
      throwing,
      rejecting,
    ]
    let at = 0
    const limiter = createRateLimiter({
      redis: redisThatFails,
      policies: [{ ...policies[0]!, quota: 10 }],
      replicas: () => counters[at]!(),
    })
    const quotas: (number | undefined)[] = []
    for (at = 0; at < counters.length; at += 1) {
      const decision: Decision = await limiter.peek(['p'], { ip })
      quotas.push(decision.limits[0]?.quota)
    }
    expect(quotas).toEqual([5, 5, 5, 5, 5, 5])
    await limiter.close()
  })
})

/** The types exclude these values. */
function callWith(create: Function, options: unknown): unknown {
  return Reflect.apply(create, undefined, [options])
}

function rejecting(): number {
  return JSON.parse('{}').missing ?? Promise.reject(new Error('a bug'))
}

function throwing(): number {
  throw new Error('a bug')
}

function connectionOf(url: string): LimiterRedis {
  const redis = connectLimiterRedis({ url, name: 'test' })
  void redis.close()
  return redis
}

function connectAndClose(options: Parameters<typeof connectLimiterRedis>[0]) {
  return connectLimiterRedis(options).close()
}

function connectTo(url: string) {
  return (options: object) => connectAndClose({ url, name: 'test', ...options })
}

function createLimiterAndClose(options: Parameters<typeof createRateLimiter>[0]) {
  return createRateLimiter({ ...options, policies }).close()
}

function createInMemory(options: object) {
  return createMemoryRateLimiter({ ...options, policies }).close()
}
