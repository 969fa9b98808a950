import { connectLimiterRedis, createRateLimiter } from '@repo/ratelimit'
import { expect, test, until } from '@repo/testing'
import { authPolicies, createGuessLimit } from './limits.ts'

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
