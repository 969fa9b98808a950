import { connectLimiterRedis, createRateLimiter } from '@repo/ratelimit'
import { expect, test, until } from '@repo/testing'
import { authPolicies, createGuessLimit, createRateLimitStorage } from './limits.ts'

test('while Redis is unavailable, an instance that used its share of wrong passwords answers 503, not 429', async ({
  ownValkey,
}) => {
  const redis = connectLimiterRedis({ url: ownValkey.url, name: 'auth-1' })
  await redis.ready()
  const limiter = createRateLimiter({ redis, policies: authPolicies, replicas: () => 3 })
  const guesses = createGuessLimit(limiter)
  const guesser = { account: 'ada@threefold.test', network: '192.0.2.0/24', device: undefined }
  await guesses.admit(guesser)
  await ownValkey.kill('SIGKILL')
  await until(() => !limiter.stats().exact)
  for (let guess = 0; guess < 10; guess += 1) await guesses.count(guesser)
  await expect(guesses.admit(guesser)).rejects.toMatchObject({
    statusCode: 503,
    headers: { 'retry-after': '1' },
  })
  await limiter.close()
  await redis.close()
})

test('while Redis is unavailable, an address that used its share of an instance gets 503, not 429', async ({
  ownValkey,
}) => {
  const redis = connectLimiterRedis({ url: ownValkey.url, name: 'auth-1' })
  await redis.ready()
  const limiter = createRateLimiter({ redis, policies: authPolicies, replicas: () => 3 })
  const storage = createRateLimitStorage(limiter)
  const rule = { window: 60, max: 6 }
  expect(await storage.consume('192.0.2.1/sign-in', rule)).toMatchObject({ allowed: true })
  await ownValkey.kill('SIGKILL')
  await until(() => !limiter.stats().exact)
  const outcomes: unknown[] = []
  for (let request = 0; request < 20; request += 1) {
    const consumed = Promise.resolve(storage.consume('192.0.2.2/sign-in', rule))
    outcomes.push(await consumed.then(({ allowed }) => allowed).catch((error: unknown) => error))
  }
  expect(outcomes.filter((outcome) => outcome === true).length).toBeLessThanOrEqual(2)
  expect(outcomes).not.toContain(false)
  expect(outcomes.at(-1)).toMatchObject({ problem: { status: 503, retryAfter: 1 } })
  await limiter.close()
  await redis.close()
})
