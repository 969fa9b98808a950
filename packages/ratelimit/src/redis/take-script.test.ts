import { expect, test } from '@repo/testing'
import { Redis } from 'ioredis'
import { createLimiter } from '../limiter.ts'
import type { PolicyInput } from '../policy.ts'
import type { Decision } from '../types.ts'
import { connectLimiterRedis } from './connection.ts'
import { createRedisStore } from './redis-store.ts'
import { takeScripts, takeScriptsAt } from './take-script.ts'

const CLOCK = '{rl}clock'
const scripts = takeScriptsAt(`local now = tonumber(redis.call('GET', '${CLOCK}'))`)
const seed = Number(process.env['RACE_SEED'] ?? Date.now() % 1_000_000)

const policies: PolicyInput[] = [
  { name: 'sliding', quota: 6, windowMs: 1_600, by: 'a' },
  { name: 'bucket', quota: 7, windowMs: 1_000, by: 'a', algorithm: 'token-bucket' },
  { name: 'fixed', quota: 9, windowMs: 700, by: 'b', algorithm: 'fixed' },
  { name: 'dark', quota: 5, windowMs: 2_000, by: 'b', shadow: true },
]
const names = policies.map(({ name }) => name)

function randomOf(start: number) {
  let state = start
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state / 4_294_967_296
  }
}

async function openWith(url: string, prefix: string, taken: typeof takeScripts) {
  const redis = connectLimiterRedis({ url, name: 'test', prefix, deadlineMs: 2_000 })
  await redis.ready()
  const limiter = createLimiter({
    policies,
    bus: undefined,
    denyCacheKeys: 0,
    source: 'redis',
    ipv6Prefix: 56,
    store: createRedisStore(redis, taken),
    keys: redis.keys,
    observe: undefined,
    available: () => redis.available(),
    decideLocally: () => {
      throw new Error('Redis is unavailable')
    },
  })
  return { limiter, keys: redis.keys, close: () => limiter.close().then(() => redis.close()) }
}

function resultOf({ outcome, limits, violated, shadowed, retryAfterMs }: Decision) {
  return { outcome, limits, violated, shadowed, retryAfterMs }
}

/** The states of all counts of a prefix, byte for byte. */
async function statesOf(direct: Redis, prefix: string): Promise<Record<string, string>> {
  const keys = (await direct.keys(`${prefix}*~*:*`)).toSorted()
  const states = await direct.mgetBuffer(...keys, CLOCK)
  const pairs = keys.map((key, i) => [key.slice(prefix.length), states[i]?.toString('hex') ?? ''])
  return Object.fromEntries(pairs)
}

test(`for 600 takes, the script for one request returns and stores the same as the script for batches (seed ${seed})`, async ({
  redisUrl,
}) => {
  const random = randomOf(seed)
  const direct = new Redis(redisUrl)
  await direct.flushall()
  const one = await openWith(redisUrl, 'one', scripts)
  const batch = await openWith(redisUrl, 'batch', [scripts[0]])
  let nowMs = Date.now()
  for (let i = 0; i < 600; i += 1) {
    // Also backwards, as the clock of a server that took over.
    nowMs += Math.floor(random() ** 3 * 700) - (random() < 0.05 ? 400 : 0)
    await direct.set(CLOCK, nowMs)
    const drawn = names.filter(() => random() < 0.6)
    const subject = { a: `a${Math.floor(random() * 2)}`, b: random() < 0.5 ? 'ä' : 'b' }
    const cost = Math.floor(random() * 4)
    // By the script's clock; the script that blocks has the server's.
    const blocked = random() < 0.03 ? nowMs + 600 : undefined
    const step = async ({ limiter, keys }: typeof one) => {
      if (blocked) await direct.zadd(keys.blocks, blocked, `${keys.subjectPrefix('fixed')}b`)
      return resultOf(await limiter.take(drawn, subject, { cost }))
    }
    const [there, here] = [await step(one), await step(batch)]
    expect([i, there]).toEqual([i, here])
  }
  const states = await statesOf(direct, 'one')
  expect(Object.keys(states).length).toBeGreaterThan(4)
  expect(states).toEqual(await statesOf(direct, 'batch'))
  await one.close()
  await batch.close()
  await direct.quit()
})

test('a server without the scripts receives each of them again, and counts a take once', async ({
  redisUrl,
}) => {
  const direct = new Redis(redisUrl)
  await direct.flushall()
  const { limiter, close } = await openWith(redisUrl, 'one', takeScripts)
  for (let left = 5; left > 0; left -= 1) {
    await direct.script('FLUSH')
    const { limits, source } = await limiter.take(['sliding', 'fixed'], { a: 'x', b: 'y' })
    expect([source, limits[0]?.remaining]).toEqual(['redis', left])
  }
  await close()
  await direct.quit()
})
