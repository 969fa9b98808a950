import path from 'node:path'
import { describe, expect, test } from '@repo/testing'
import type { Attack, Opening, Span } from './hammer.fixture.ts'
import type { connectLimiterRedis, createRateLimiter, PolicyInput } from './index.ts'
import { makeMutant } from './mutants.fixture.ts'
import { mostAtOnce, mostWithin } from './spans.fixture.ts'

const program = new URL('hammer.fixture.ts', import.meta.url)
const original = path.join(import.meta.dirname, 'index.ts')
const rounds = Number(process.env['RACE_ROUNDS'] ?? 3)
const nowMs = () => Number(process.hrtime.bigint() / 1_000n) / 1_000
const UNSHAPED = 'counts without a shape in their name'

interface Release {
  policy: PolicyInput
  method?: 'attack' | 'hold'
  /** The most that its instance may have admitted. */
  most: (spans: Span[], ms: number) => number
}
const p = { name: 'p', quota: 60, windowMs: 320, by: 'key' }
const sliding = (policy: PolicyInput): Release => ({
  policy,
  most: (spans) => mostWithin(spans, policy.windowMs),
})
const RELEASES: Record<string, Release[]> = {
  'two windows and a token bucket': [
    sliding(p),
    sliding({ ...p, windowMs: 480 }),
    {
      policy: { ...p, algorithm: 'token-bucket' },
      most: (spans, ms) => spans.length - (p.quota * ms) / p.windowMs,
    },
  ],
  'a window, a leased one and a concurrency limit': [
    sliding(p),
    sliding({ ...p, lease: { units: 4, ms: 40 } }),
    { policy: { ...p, algorithm: 'concurrency' }, method: 'hold', most: mostAtOnce },
  ],
}

const releases = test.extend('run', async ({ redisUrl, replicas }, { onCleanup }) => {
  const removing: (() => Promise<void>)[] = []
  onCleanup(async () => void (await Promise.all(removing.map((remove) => remove()))))
  async function sourceOf(mutant: string) {
    const { source, remove } = await makeMutant(mutant)
    removing.push(remove)
    return source
  }
  /** Starts one process per release. Each hammers the same key. Returns the spans of each. */
  return async (chosen: readonly Release[], mutants: readonly boolean[] = []) => {
    const mutant = mutants.some(Boolean) ? await sourceOf(UNSHAPED) : original
    const three = await replicas(chosen.length, { program })
    await Promise.all(
      three.map((replica, i) => {
        const source = mutants[i] ? mutant : original
        const policies = [chosen[i]!.policy]
        const opening: Opening = { url: redisUrl, source, policies, skewMs: 0, denyCacheKeys: 0 }
        return replica.call('open', opening)
      }),
    )
    let keys = 0
    return async () => {
      const fromMs = nowMs() + 30
      const untilMs = fromMs + 800
      const subject = { key: `${Date.now()}-${(keys += 1)}` }
      const order: Attack = { policies: ['p'], subject, width: 6, fromMs, untilMs }
      const spans = await Promise.all(
        three.map((replica, i) => replica.call<Span[]>(chosen[i]!.method ?? 'attack', order)),
      )
      const ms = Math.max(...spans.flat().map(([, toMs]) => toMs)) - fromMs
      return { spans, ms }
    }
  }
})

describe('three processes of three releases hammer one key', () => {
  for (const [name, chosen] of Object.entries(RELEASES)) {
    const timeout = 30_000 + rounds * 4_000
    releases(
      `R12: with ${name}, in ${rounds} rounds each release admits its quota and not more`,
      { timeout },
      async ({ run }) => {
        const hammer = await run(chosen)
        for (let round = 0; round < rounds; round += 1) {
          const { spans, ms } = await hammer()
          for (const [i, { most }] of chosen.entries()) {
            expect(most(spans[i]!, ms)).toBeLessThanOrEqual(p.quota)
            expect(spans[i]!.length).toBeGreaterThanOrEqual(p.quota)
          }
        }
      },
    )
  }

  releases(
    'a program without shapes in the names is caught',
    { timeout: 60_000 },
    async ({ run }) => {
      const chosen = RELEASES['two windows and a token bucket']!
      const hammer = await run(chosen, [true, true, true])
      let most = 0
      for (let tries = 0; tries < 20 && most <= p.quota; tries += 1) {
        const { spans, ms } = await hammer()
        most = Math.max(...chosen.map((release, i) => release.most(spans[i]!, ms)))
      }
      expect(most).toBeGreaterThan(p.quota)
    },
  )

  releases(
    `R12: the release before shapes and this one admit at most the sum of both quotas in ${rounds} rounds`,
    { timeout: 60_000 },
    async ({ run }) => {
      const hammer = await run([sliding(p), sliding(p), sliding(p)], [true, false, false])
      for (let round = 0; round < rounds; round += 1) {
        const [before, ...now] = (await hammer()).spans
        expect(mostWithin(before!, p.windowMs)).toBeLessThanOrEqual(p.quota)
        expect(mostWithin(now.flat(), p.windowMs)).toBeLessThanOrEqual(p.quota)
        expect(Math.min(before!.length, now.flat().length)).toBeGreaterThanOrEqual(p.quota)
      }
    },
  )
})

test('a block applies to the release before shapes and to this one, and a reset by this one clears both', async ({
  redisUrl,
}) => {
  interface Library {
    connectLimiterRedis: typeof connectLimiterRedis
    createRateLimiter: typeof createRateLimiter
  }
  const { source, remove } = await makeMutant(UNSHAPED)
  const opened = await Promise.all(
    [source, original].map(async (from) => {
      const library: Library = await import(from)
      const redis = library.connectLimiterRedis({ url: redisUrl, name: 'test', deadlineMs: 2_000 })
      await redis.ready()
      const policies = [{ name: 'p', quota: 3, windowMs: 60_000, by: 'key' }]
      return { redis, limiter: library.createRateLimiter({ redis, policies, denyCacheKeys: 0 }) }
    }),
  )
  const [before, now] = opened.map(({ limiter }) => limiter)
  const subject = { key: 'k' }
  const outcomes = async () => [
    (await before!.take(['p'], subject)).outcome,
    (await now!.take(['p'], subject)).outcome,
  ]
  for (const [blocks, lifts] of [
    [before!, now!],
    [now!, before!],
  ]) {
    await blocks!.block(['p'], subject, 60_000)
    expect(await outcomes()).toEqual(['limited', 'limited'])
    await lifts!.unblock(['p'], subject)
    expect(await outcomes()).toEqual(['allowed', 'allowed'])
  }
  await outcomes()
  expect(await outcomes()).toEqual(['limited', 'limited'])
  await now!.reset(['p'], subject)
  expect(await outcomes()).toEqual(['allowed', 'allowed'])
  for (const { limiter, redis } of opened) {
    await limiter.close()
    await redis.close()
  }
  await remove()
})
