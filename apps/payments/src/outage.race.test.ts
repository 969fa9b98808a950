import { contend, describe, expect, test, until } from '@repo/testing'
import { openApp, order, payer } from './app.fixture.ts'
import { createPayments } from './payments.ts'

const CONTENDERS = 12

describe('while PostgreSQL hangs', () => {
  test(`${CONTENDERS} payments at once all answer 503 with Retry-After within 2 s, and none of them is there when it wakes up`, async ({
    ownPostgres,
  }) => {
    await using app = await openApp(ownPostgres.url)
    const ada = payer()
    // As many idle connections as the pool holds: what they are sent now, it reads when it wakes up.
    await Promise.all(Array.from({ length: 4 }, () => app.database.ping()))
    await ownPostgres.pause()
    const settled = await contend(CONTENDERS, () => app.ask(ada, '/api/payments', { body: order }))
    for (const each of settled) {
      expect(each).toMatchObject({
        status: 'fulfilled',
        value: { status: 503, body: { type: 'urn:threefold:problem:unavailable' } },
      })
      if (each.status !== 'fulfilled') continue
      expect(each.value.headers.get('retry-after')).toBe('1')
      expect(each.value.ms).toBeLessThan(2_000)
    }
    ownPostgres.resume()
    // Later than whatever was sent before: this is read after it on every connection.
    const made = await app.ask(ada, '/api/payments', { body: order })
    expect(made.status).toBe(201)
    expect(await app.countOf(ada)).toBe(1)
  })

  test('a bare insert, which a hanging server runs when it wakes up, is caught by it', async ({
    ownPostgres,
  }) => {
    await using app = await openApp(ownPostgres.url)
    const { db } = app.database
    const bare = Object.create(db, {
      transaction: { value: (run: (tx: unknown) => unknown) => run(db) },
    })
    const mutant = createPayments({ db: bare })
    const { userId, ...rest } = payer()
    await app.database.ping()
    await ownPostgres.pause()
    await expect(mutant.create(userId, { ...order, currency: 'EUR' })).rejects.toThrow(
      'Failed query',
    )
    ownPostgres.resume()
    await until(async () => (await app.countOf({ userId, ...rest })) === 1)
  })
})

describe('while PostgreSQL is dead', () => {
  test('payments answer 503 at once, and work again after', async ({ ownPostgres }) => {
    await using app = await openApp(ownPostgres.url)
    const ada = payer()
    await app.ask(ada, '/api/payments', { body: order })
    await ownPostgres.kill()
    for (const ask of [{ body: order }, {}]) {
      const answer = await app.ask(ada, '/api/payments', ask)
      expect(answer).toMatchObject({ status: 503 })
      expect(answer.ms).toBeLessThan(2_000)
    }
    await ownPostgres.restart()
    expect((await app.ask(ada, '/api/payments', { body: order })).status).toBe(201)
    expect(await app.countOf(ada)).toBe(2)
  })
})
