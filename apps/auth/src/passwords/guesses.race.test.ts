import path from 'node:path'
import { createLog } from '@repo/observability'
import { connectLimiterRedis, createRateLimiter } from '@repo/ratelimit'
import { contend, copyMutant, expect, test, until } from '@repo/testing'
import { hashPassword, verifyPassword } from 'better-auth/crypto'
import pLimit from 'p-limit'
import { ask, environment, PASSWORD, person } from '../auth.fixture.ts'
import * as program from './guesses.ts'
import { HASHED_AT_ONCE } from './hashing.ts'
import { authPolicies, createGuessLimit } from './limits.ts'

const QUOTA = 10
const INSTANCES = 3
/** Each instance exceeds the quota by less than the passwords that it checks at a time. */
const MOST = QUOTA + INSTANCES * HASHED_AT_ONCE - 1
/** An instance for which Redis is too slow also checks its share of the quota. */
const MOST_WITHOUT_REDIS = MOST + INSTANCES * Math.floor(QUOTA / INSTANCES)
const GUESSES = Number(process.env.RACE_GUESSES ?? 300)
const IN_FLIGHT = 60
const MUTANT_GUESSES = 30

/** The number of passwords that three limiters on one Redis check. */
async function checkedOf(
  { limitGuesses, withPasswordUse }: typeof program,
  redisUrl: string,
  account: string,
): Promise<number> {
  const log = createLog({ app: 'auth', instance: 'test', version: '', destination: ignore })
  const stored = await hashPassword(PASSWORD)
  let checked = 0
  const verify = async (given: { hash: string; password: string }) => {
    checked += 1
    return verifyPassword(given)
  }
  const passwords = Array.from({ length: INSTANCES }, (_, i) => {
    const redis = connectLimiterRedis({
      url: redisUrl,
      name: `auth-${i}`,
      deadlineMs: 5_000,
      log,
    })
    const limiter = createRateLimiter({ redis, policies: authPolicies })
    const limited = limitGuesses({ hash: hashPassword, verify }, createGuessLimit(limiter))
    return { redis, limiter, limited }
  })
  await Promise.all(passwords.map(({ redis }) => redis.ready()))
  await contend(MUTANT_GUESSES, (i) => {
    const use = { account, network: 'n', deviceOf: () => undefined, isSignIn: true }
    const { limited } = passwords[i % INSTANCES]!
    return withPasswordUse(use, () => limited.verify({ hash: stored, password: `${i}` }))
  })
  for (const { redis, limiter } of passwords) {
    await limiter.close()
    await redis.close()
  }
  return checked
}

test(`three instances check at most ${MOST} of ${GUESSES} wrong passwords for one account from one network, and its owner can sign in`, async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  const env = environment(databaseUrl, redisUrl)
  const main = new URL('../main.ts', import.meta.url)
  const three = await replicas(INSTANCES, { program: main, env, ready: '/readyz' })
  const urlOf = (i: number) => three[i % INSTANCES]!.url
  await ask(fetch, urlOf(0), '/sign-up/email', { body: person('ada') })
  const { email } = person('ada')
  const tryAs = (i: number, password: string, ip: string) =>
    ask(fetch, urlOf(i), '/sign-in/email', {
      body: { email, password },
      headers: { 'x-client-ip': ip },
    })
  const inFlight = pLimit(IN_FLIGHT)
  const guesses = contend(GUESSES, (i) =>
    inFlight(() => tryAs(i, `guess-${i}`, `203.0.113.${i % 256}`)),
  )
  // 503: a database that is too busy checks nothing, and the owner tries again.
  await until(async () => {
    const { status } = await tryAs(1, PASSWORD, '198.51.100.7')
    expect([200, 503]).toContain(status)
    return status === 200
  })
  const answers = (await guesses).flatMap((each) =>
    each.status === 'fulfilled' ? [each.value.status] : [],
  )
  const checked = answers.filter((status) => status === 401).length
  expect(checked).toBeGreaterThanOrEqual(QUOTA)
  const metrics = await Promise.all(three.map(({ url }) => fetch(`${url}/metrics`)))
  const texts = await Promise.all(metrics.map((response) => response.text()))
  const isDegraded = texts.some((text) => /^threefold_ratelimit_degraded\S* [1-9]/m.test(text))
  expect(texts.join('')).toMatch(/^threefold_ratelimit_degraded/m)
  expect(checked).toBeLessThanOrEqual(isDegraded ? MOST_WITHOUT_REDIS : MOST)
  expect(answers).toHaveLength(GUESSES)
  expect(new Set(answers).difference(new Set([401, 429, 503]))).toEqual(new Set())
  expect((await tryAs(2, PASSWORD, '203.0.113.9')).status).toBe(429)
}, 90_000)

test('the mutant without turns is caught, because it checks more wrong passwords than the quota allows', async ({
  redisUrl,
}) => {
  expect(await checkedOf(program, redisUrl, 'real')).toBeLessThanOrEqual(MOST)
  const { source, remove } = await copyMutant(import.meta.dirname, 'no turns', [
    ['guesses.ts', 'pLimit(HASHED_AT_ONCE)', 'pLimit(1_000)'],
  ])
  try {
    const mutant: typeof program = await import(path.join(path.dirname(source), 'guesses.ts'))
    expect(await checkedOf(mutant, redisUrl, 'mutant')).toBeGreaterThan(MOST)
  } finally {
    await remove()
  }
}, 90_000)

const ignore = { write: () => undefined }
