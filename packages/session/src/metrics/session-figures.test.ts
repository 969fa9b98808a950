import { migrateDatabase } from '@repo/database'
import { createHistogram, createMetrics } from '@repo/observability'
import { expect, until } from '@repo/testing'
import { test } from '../join.fixture.ts'
import { cookieOf, type Joined, makeUser, signIn, withSecondCookie } from '../open.fixture.ts'
import { sessionFigures } from './session-figures.ts'

/** Returns a function that reads all numbers of a scrape: `name{label="value"}` -> number. */
function scraperOf({ sessions }: Joined) {
  const metrics = createMetrics({ app: 'a', instance: 'i' })
  metrics.observe(sessionFigures(sessions, createHistogram))
  return async (): Promise<Record<string, number>> => {
    const lines = (await metrics.registry.metrics()).split('\n')
    const ours = lines.filter((line) => /^threefold_(session|outbox)/.test(line))
    return Object.fromEntries(
      ours.map((line) => {
        const [series = '', value] = line.replace(/,?app="a",instance="i"/, '').split('} ')
        return [series.replace('threefold_', '').replace('{', ' ').trim(), Number(value)]
      }),
    )
  }
}

test('the figures of two instances add up to those of /api/observability, in every tier and outcome', async ({
  stores,
  join,
}) => {
  const [a, b] = [await join(stores, 'a'), await join(stores, 'b')]
  const scrapes = [scraperOf(a), scraperOf(b)]
  const userId = await makeUser(a.database)
  const [live, ended] = [await signIn(a.database, userId), await signIn(a.database, userId)]
  const withSecond = await withSecondCookie(a, live.cookie)
  for (let i = 0; i < 5; i += 1) await a.sessions.validate(live.cookie)
  await b.sessions.validate(withSecond)
  await b.sessions.validate(live.cookie)
  await a.sessions.revoke({ sessionId: ended.id }, { confirm: 'all' })
  expect(await b.sessions.validate(ended.cookie)).toEqual({ outcome: 'revoked' })
  expect(await b.sessions.validate(cookieOf('a-token-that-no-session-has'))).toEqual({
    outcome: 'none',
  })
  expect(await b.sessions.validate(undefined)).toEqual({ outcome: 'none' })
  expect(await b.sessions.validate('theme=dark')).toEqual({ outcome: 'none' })

  await b.sessions.observability()
  const { authentication, validationCache } = await a.sessions.observability()
  const [first, second] = await Promise.all(scrapes.map((scrape) => scrape()))
  const total = (series: string) => (first?.[series] ?? NaN) + (second?.[series] ?? NaN)
  const tiers = Object.fromEntries(
    Object.keys(validationCache.tiers).map((tier) => {
      return [tier, total(`session_validations_total tier="${tier}"`)]
    }),
  )
  expect(tiers).toEqual(validationCache.tiers)
  expect(Object.values(tiers).reduce((sum, count) => sum + count, 0)).toBe(
    authentication.validations.total,
  )
  expect(validationCache.tiers.cookie).toBe(1)
  const outcomes = Object.fromEntries(
    ['valid', 'none', 'expired', 'revoked', 'unavailable'].map((outcome) => {
      return [outcome, total(`session_outcomes_total outcome="${outcome}"`)]
    }),
  )
  expect(outcomes).toEqual({ valid: 8, none: 3, expired: 0, revoked: 1, unavailable: 0 })
  // Each check has a tier, except those without a cookie of this site.
  expect(authentication.validations.total).toBe(8 + 3 + 1 - 2)
  const readStores = validationCache.tiers.redis + validationCache.tiers.database
  expect(total('session_validation_seconds_count')).toBe(readStores)
  expect(total('session_validation_seconds_sum') / authentication.validations.total).toBeCloseTo(
    authentication.validations.averageTimeMs / 1_000,
    5,
  )
})

test('revocations that wait for Redis are pending in the scrape until an instance has sent them', async ({
  stores,
  ownValkey,
  join,
}) => {
  const killable = { ...stores, redisUrl: ownValkey.url }
  const a = await join(killable, 'a', { relayMs: 50 })
  const scrape = scraperOf(a)
  const userId = await makeUser(a.database)
  const [one, two] = [await signIn(a.database, userId), await signIn(a.database, userId)]
  expect(await scrape()).toMatchObject({
    session_revocations_pending: 0,
    session_revocations_delayed_total: 0,
    outbox_pending: 0,
    outbox_oldest_seconds: 0,
  })
  await ownValkey.kill()
  await a.sessions.revoke({ sessionId: one.id })
  await a.sessions.revoke({ sessionId: two.id })
  expect(await scrape()).toMatchObject({
    session_revocations_pending: 2,
    session_revocations_delayed_total: 2,
  })
  await until(async () => (await scrape())['outbox_pending'] === 2)
  const age = (await scrape())['outbox_oldest_seconds'] ?? 0
  expect(age).toBeGreaterThan(0)
  await until(async () => ((await scrape())['outbox_oldest_seconds'] ?? 0) > age)
  await ownValkey.restart()
  await until(async () => (await scrape())['session_revocations_pending'] === 0)
  expect(await scrape()).toMatchObject({
    session_revocations_delayed_total: 2,
    outbox_pending: 0,
    outbox_oldest_seconds: 0,
  })
  const { validationCache } = await a.sessions.observability({ scope: 'instance' })
  expect(validationCache.revocations.pending).toBe(2)
})

test('a check without any store is unavailable in the scrape, and a failure in /api/observability', async ({
  ownPostgres,
  redisUrl,
  join,
}) => {
  await migrateDatabase({ url: ownPostgres.url })
  const a = await join({ databaseUrl: ownPostgres.url, redisUrl }, 'a')
  const scrape = scraperOf(a)
  const { cookie } = await signIn(a.database, await makeUser(a.database))
  await ownPostgres.kill()
  expect(await a.sessions.validate(cookie)).toMatchObject({ outcome: 'unavailable' })
  expect(await scrape()).toMatchObject({
    'session_outcomes_total outcome="unavailable"': 1,
    session_validation_seconds_count: 1,
  })
  const { authentication } = await a.sessions.observability({ scope: 'instance' })
  expect(authentication.validations).toMatchObject({ failures: 1, total: 0 })
})
