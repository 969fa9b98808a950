import { describe, expect, test, until } from '@repo/testing'
import { Redis } from 'ioredis'
import * as original from '../index.ts'
import { limiterFigures, type PolicyInput } from '../index.ts'
import { makeMutant } from '../mutants.fixture.ts'

type Library = Pick<typeof original, 'connectLimiterRedis' | 'createRateLimiter'>

const base = { windowMs: 60_000, by: 'ip' } as const
const policies: PolicyInput[] = [
  { ...base, name: 'local', quota: 9 },
  { ...base, name: 'allow', quota: 5, onUnavailable: 'allow' },
  { ...base, name: 'deny', quota: 5, onUnavailable: 'deny' },
]
const subject = { ip: '192.0.2.1' }

interface Refusal {
  words: string
  begin: (admin: Redis) => Promise<unknown>
  end: (admin: Redis) => Promise<unknown>
}

const acl = (admin: Redis, ...rules: string[]) => admin.call('ACL', 'SETUSER', 'limits', ...rules)

const REFUSALS: Record<string, Refusal> = {
  'a user without the keys of the limiter': {
    words: 'NOPERM',
    begin: (admin) => acl(admin, 'resetkeys', '~other:*'),
    end: (admin) => acl(admin, 'allkeys'),
  },
  'a user without a command that the script runs': {
    words: "permissions to run the 'set' command",
    begin: (admin) => acl(admin, '-set'),
    end: (admin) => acl(admin, '+set'),
  },
  'a user without scripts': {
    words: 'NOPERM',
    begin: (admin) => acl(admin, '-evalsha', '-eval'),
    end: (admin) => acl(admin, '+@all'),
  },
  'a server without memory': {
    words: 'OOM',
    begin: (admin) => admin.config('SET', 'maxmemory', '1'),
    end: (admin) => admin.config('SET', 'maxmemory', '0'),
  },
  'a server with too few replicas': {
    words: 'NOREPLICAS',
    begin: (admin) => admin.config('SET', 'min-replicas-to-write', '1'),
    end: (admin) => admin.config('SET', 'min-replicas-to-write', '0'),
  },
  'a server that became a replica': {
    words: 'READONLY',
    begin: (admin) => admin.replicaof('127.0.0.1', 1),
    end: (admin) => admin.replicaof('NO', 'ONE'),
  },
}

const limited = test.extend('open', async ({ ownValkey }, { onCleanup }) => {
  const closing: (() => Promise<unknown>)[] = []
  onCleanup(async () => {
    for (const close of closing.toReversed()) await close()
  })
  return async (mutant?: string) => {
    const admin = new Redis(ownValkey.url)
    await acl(admin, 'on', 'nopass', 'allkeys', 'allchannels', '+@all')
    const lines: string[] = []
    const url = new URL(ownValkey.url)
    url.username = 'limits'
    url.password = 'any'
    const copy = mutant === undefined ? undefined : await makeMutant(mutant)
    const library: Library = copy ? await import(copy.source) : original
    const redis = library.connectLimiterRedis({
      url: url.href,
      name: 'test',
      log: {
        info: (_fields, message) => void lines.push(`info ${message}`),
        warn: (_fields, message) => void lines.push(`warn ${message}`),
      },
    })
    await redis.ready()
    const limiter = library.createRateLimiter({
      redis,
      policies,
      replicas: () => 3,
      denyCacheKeys: 0,
    })
    closing.push(
      async () => copy?.remove(),
      () => admin.quit(),
      () => redis.close(),
      () => limiter.close(),
    )
    return { admin, redis, limiter, lines }
  }
})

describe('a Redis that answers takes with an error:', () => {
  for (const [name, { words, begin, end }] of Object.entries(REFUSALS)) {
    limited(
      `with ${name}, policies decide as in an outage, and log, stats, metric and health contain the reason`,
      async ({ open }) => {
        const { admin, redis, limiter, lines } = await open()
        expect((await limiter.take(['local'], subject)).source).toBe('redis')
        await begin(admin)
        await limiter.take(['deny'], subject)
        await until(() => !limiter.stats().exact)
        const calls = await scriptCalls(admin)
        const outcomes: Record<string, number> = {}
        for (const policy of ['local', 'allow', 'deny']) {
          for (let i = 0; i < 100; i += 1) {
            const { outcome, degraded } = await limiter.take([policy], subject)
            expect(degraded).toBe(true)
            outcomes[`${policy} ${outcome}`] = (outcomes[`${policy} ${outcome}`] ?? 0) + 1
          }
        }
        // A third of the quota of 9 is the share of this instance.
        expect(outcomes).toEqual({
          'local allowed': 3,
          'local unavailable': 97,
          'allow allowed': 100,
          'deny unavailable': 100,
        })
        // Only probes go to a server that refuses.
        expect((await scriptCalls(admin)) - calls).toBeLessThan(30)
        const exact = limiterFigures(limiter).find((figure) => figure.name.endsWith('exact_ratio'))
        expect(exact && 'read' in exact && exact.read()).toBe(0)
        await expect(redis.check()).rejects.toMatchObject({ code: 'unavailable' })
        const down = lines.filter((line) =>
          line.startsWith('warn limits are decided without Redis'),
        )
        expect(down).toEqual([expect.stringContaining(words)])
        await end(admin)
        await until(() => limiter.stats().exact)
        expect((await limiter.take(['local'], subject)).source).toBe('redis')
        expect(lines.filter((line) => line === 'info limits are exact again')).toHaveLength(1)
        await redis.check()
      },
    )
  }

  limited('a key of another type degrades only takes of its count', async ({ open }) => {
    const { admin, limiter, lines } = await open()
    await limiter.take(['local'], subject)
    const [key = ''] = await admin.keys('*local~s60:192.0.2.1')
    await admin.del(key)
    await admin.lpush(key, 'x')
    for (let i = 0; i < 20; i += 1) {
      await limiter.take(['local'], subject)
      const other = await limiter.take(['local'], { ip: '192.0.2.2' })
      expect(other).toMatchObject({ degraded: false })
    }
    expect(limiter.stats().exact).toBe(true)
    expect(lines.filter((line) => line.includes('without Redis'))).toEqual([])
  })

  limited('a program whose error replies start no probe is caught', async ({ open }) => {
    const mutant = 'error replies that start no probe'
    const { admin, limiter } = await open(mutant)
    expect((await limiter.take(['deny'], subject)).source).toBe('redis')
    await REFUSALS['a server without memory']?.begin(admin)
    const calls = await scriptCalls(admin)
    for (let i = 0; i < 50; i += 1) await limiter.take(['deny'], { ip: `192.0.2.${i}` })
    expect(limiter.stats().exact).toBe(true)
    expect((await scriptCalls(admin)) - calls).toBeGreaterThan(40)
  })
})

/** The scripts that the server ran or refused to run. */
async function scriptCalls(admin: Redis): Promise<number> {
  const stats = await admin.info('commandstats')
  const line = /^cmdstat_evalsha:calls=(\d+)/m.exec(stats)
  return Number(line?.[1] ?? 0)
}
