import { migrateDatabase } from '@repo/database'
import { describe, expect, until } from '@repo/testing'
import { test } from './join.fixture.ts'
import { makeUser, signIn } from './open.fixture.ts'

describe('while Redis is away', () => {
  test('sessions are checked and made, and a sign-out holds here at once and everywhere when it is back', async ({
    stores,
    ownValkey,
    join,
  }) => {
    const own = { ...stores, redisUrl: ownValkey.url }
    const [a, b] = [await join(own, 'a'), await join(own, 'b')]
    const userId = await makeUser(a.database)
    const [kept, gone] = [await signIn(a.database, userId), await signIn(a.database, userId)]
    for (const { sessions } of [a, b]) {
      for (const { cookie } of [kept, gone]) await sessions.validate(cookie)
    }
    await ownValkey.kill()
    expect(await a.sessions.revoke({ sessionId: gone.id }, { confirm: 'all' })).toMatchObject({
      outcome: 'pending',
      revoked: 1,
    })
    const since = performance.now()
    const made = await signIn(a.database, userId)
    for (const { sessions } of [a, b]) {
      await until(async () => (await sessions.validate(gone.cookie)).outcome === 'revoked')
      for (const { cookie } of [kept, made]) {
        expect(await sessions.validate(cookie)).toMatchObject({ outcome: 'valid' })
      }
    }
    expect(performance.now() - since).toBeLessThan(1_500)
    await ownValkey.restart()
    for (const { sessions } of [a, b]) {
      await until(async () => {
        expect(await sessions.validate(gone.cookie)).toEqual({ outcome: 'revoked' })
        const check = await sessions.validate(kept.cookie)
        return check.outcome === 'valid' && check.tier === 'memo'
      })
    }
    expect(await a.sessions.settle({ confirm: 'all' })).toMatchObject({ outcome: 'confirmed' })
  })
})

describe('while PostgreSQL is away', () => {
  test('what is cached goes on, what is not is unavailable; with Redis away too, all is', async ({
    ownPostgres,
    ownValkey,
    join,
  }) => {
    await migrateDatabase({ url: ownPostgres.url })
    const own = { databaseUrl: ownPostgres.url, redisUrl: ownValkey.url }
    const [a, b] = [await join(own, 'a'), await join(own, 'b')]
    const userId = await makeUser(a.database)
    const [known, unknown] = [await signIn(a.database, userId), await signIn(a.database, userId)]
    await a.sessions.validate(known.cookie)
    await ownPostgres.kill()
    expect(await a.sessions.validate(known.cookie)).toMatchObject({ tier: 'memo' })
    expect(await b.sessions.validate(known.cookie)).toMatchObject({ tier: 'redis' })
    expect(await b.sessions.validate(unknown.cookie)).toMatchObject({ outcome: 'unavailable' })
    await ownValkey.kill()
    const killedMs = performance.now()
    const check = () => a.sessions.validate(known.cookie)
    let lastBelievedMs = 0
    await until(async () => {
      const checkedMs = performance.now() - killedMs
      const { outcome } = await check()
      if (outcome === 'valid') lastBelievedMs = checkedMs
      return outcome === 'unavailable'
    })
    expect(lastBelievedMs).toBeLessThan(1_500)
    expect(await check()).toMatchObject({ outcome: 'unavailable', cause: expect.any(Error) })
    await Promise.all([ownPostgres.restart(), ownValkey.restart()])
    await until(async () => (await check()).outcome === 'valid')
  })
})
