import { migrateDatabase } from '@repo/database'
import { awakeMs, expect, until } from '@repo/testing'
import { test } from './join.fixture.ts'
import { makeUser, signIn } from './open.fixture.ts'

test('while Redis is unavailable, sessions are checked and created, and a sign-out applies here at once and everywhere afterwards', async ({
  stores,
  ownValkey,
  join,
}) => {
  const killable = { ...stores, redisUrl: ownValkey.url }
  const [a, b] = [await join(killable, 'a'), await join(killable, 'b')]
  const userId = await makeUser(a.database)
  const [live, ended] = [await signIn(a.database, userId), await signIn(a.database, userId)]
  for (const { sessions } of [a, b]) {
    for (const { cookie } of [live, ended]) await sessions.validate(cookie)
  }
  await ownValkey.kill()
  expect(await a.sessions.revoke({ sessionId: ended.id }, { confirm: 'all' })).toMatchObject({
    outcome: 'pending',
    revoked: 1,
  })
  const since = awakeMs()
  const made = await signIn(a.database, userId)
  for (const { sessions } of [a, b]) {
    await until(async () => (await sessions.validate(ended.cookie)).outcome === 'revoked')
    for (const { cookie } of [live, made]) {
      expect(await sessions.validate(cookie)).toMatchObject({ outcome: 'valid' })
    }
  }
  expect(awakeMs() - since).toBeLessThan(1_500)
  await ownValkey.restart()
  for (const { sessions } of [a, b]) {
    await until(async () => {
      expect(await sessions.validate(ended.cookie)).toEqual({ outcome: 'revoked' })
      const check = await sessions.validate(live.cookie)
      return check.outcome === 'valid' && check.tier === 'memo'
    })
  }
  expect(await a.sessions.settle({ confirm: 'all' })).toMatchObject({ outcome: 'confirmed' })
})

test('while PostgreSQL is unavailable, cached sessions stay valid and others are unavailable, and without Redis all are', async ({
  ownPostgres,
  ownValkey,
  join,
}) => {
  await migrateDatabase({ url: ownPostgres.url })
  const killable = { databaseUrl: ownPostgres.url, redisUrl: ownValkey.url }
  const [a, b] = [await join(killable, 'a'), await join(killable, 'b')]
  const userId = await makeUser(a.database)
  const [cached, uncached] = [await signIn(a.database, userId), await signIn(a.database, userId)]
  await a.sessions.validate(cached.cookie)
  await ownPostgres.kill()
  expect(await a.sessions.validate(cached.cookie)).toMatchObject({ tier: 'memo' })
  expect(await b.sessions.validate(cached.cookie)).toMatchObject({ tier: 'redis' })
  expect(await b.sessions.validate(uncached.cookie)).toMatchObject({ outcome: 'unavailable' })
  await ownValkey.kill()
  const killedMs = performance.now()
  const check = () => a.sessions.validate(cached.cookie)
  let lastValidMs = 0
  await until(async () => {
    const checkedMs = performance.now() - killedMs
    const { outcome } = await check()
    if (outcome === 'valid') lastValidMs = checkedMs
    return outcome === 'unavailable'
  })
  expect(lastValidMs).toBeLessThan(1_500)
  expect(await check()).toMatchObject({ outcome: 'unavailable', cause: expect.any(Error) })
  await Promise.all([ownPostgres.restart(), ownValkey.restart()])
  await until(async () => (await check()).outcome === 'valid')
})
