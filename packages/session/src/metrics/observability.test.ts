import { expect, until } from '@repo/testing'
import { test } from '../join.fixture.ts'
import { makeUser, signIn } from '../open.fixture.ts'

test('the figures of the cluster contain all instances in every field', async ({
  stores,
  join,
}) => {
  const [a, b] = [await join(stores, 'a'), await join(stores, 'b')]
  const userId = await makeUser(a.database)
  const [kept, banned] = [await signIn(a.database, userId), await makeUser(a.database)]
  const lost = await signIn(a.database, banned)
  for (let i = 0; i < 98; i += 1) await a.sessions.validate(kept.cookie)
  await b.sessions.validate(kept.cookie)
  a.sessions.noteLogin()
  b.sessions.noteLogin()
  await a.database.pool.query('update "user" set banned = true where id = $1', [banned])
  await a.sessions.settle()
  expect(await b.sessions.validate(lost.cookie)).toEqual({ outcome: 'revoked' })
  await b.sessions.observability()
  const said = await a.sessions.observability()
  const hour = new Date().toISOString().slice(0, 13)
  expect(said).toEqual({
    scope: 'cluster',
    authentication: {
      uptime: {
        milliseconds: expect.any(Number),
        hours: expect.any(Number),
        startTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      },
      logins: {
        total: 2,
        last24Hours: { [hour]: 2 },
        lastLoginTimestamp: expect.stringContaining(hour),
        averagePerHour: expect.any(Number),
      },
      validations: {
        total: 100,
        cacheHits: 98,
        cacheMisses: 2,
        cacheHitRate: 98,
        databaseQueries: 2,
        failures: 0,
        averageTimeMs: expect.any(Number),
        averagePerHour: expect.any(Number),
      },
      users: { activeCount: 1, deletedDetected: 0, bannedDetected: 1 },
      costs: {
        estimatedDatabaseCost: '0.0000',
        costWithoutCache: '0.0010',
        savings: '0.0010',
        savingsPercentage: '98.00',
        queriesPerHour: expect.any(Number),
      },
      performance: {
        cacheEffectiveness: 'Excellent',
        recommendedCacheTTL: 'Current TTL is optimal',
        avgValidationTime: 'Excellent',
      },
    },
    validationCache: {
      size: 1,
      maxSize: 10_000,
      ttlMs: 300_000,
      backend: 'redis',
      tiers: { memo: 97, cookie: 0, redis: 1, database: 2 },
      revocations: { total: 1, pending: 0, averageMs: expect.any(Number) },
    },
  })
  const local = await b.sessions.observability({ scope: 'instance' })
  expect(local).toMatchObject({
    scope: 'instance',
    authentication: {
      logins: { total: 1, last24Hours: { [hour]: 1 } },
      validations: { total: 2 },
    },
  })
})

test('while Redis is unavailable, the figures are those of this instance, and their scope states it', async ({
  stores,
  ownValkey,
  join,
}) => {
  const a = await join({ ...stores, redisUrl: ownValkey.url }, 'a')
  a.sessions.noteLogin()
  await ownValkey.kill()
  await until(async () => {
    const { scope, authentication } = await a.sessions.observability()
    return scope === 'instance' && authentication.logins.total === 1
  })
  await ownValkey.restart()
  await until(async () => {
    const { scope, authentication } = await a.sessions.observability()
    return scope === 'cluster' && authentication.logins.total === 1
  })
})
