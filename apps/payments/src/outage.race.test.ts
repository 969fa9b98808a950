import { contend, expect, test, until } from '@repo/testing'
import { openApp, order, payer } from './app.fixture.ts'
import { createPayments } from './payments.ts'

const CONTENDERS = 12

test(`${CONTENDERS} payments at once answer 503 within 2 s while PostgreSQL hangs, and none is stored when it continues`, async ({
  ownPostgres,
}) => {
  await using app = await openApp(ownPostgres.url)
  const ada = payer()
  // All connections of the pool are idle: PostgreSQL reads their statements when it continues.
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
  // PostgreSQL reads this after all earlier statements on the same connection.
  const made = await app.ask(ada, '/api/payments', { body: order })
  expect(made.status).toBe(201)
  expect(await app.countOf(ada)).toBe(1)
})

test(`${CONTENDERS} keyed payments at once answer 503 within 2 s while PostgreSQL hangs, none runs later, and the same keys then make one payment each`, async ({
  ownPostgres,
}) => {
  await using app = await openApp(ownPostgres.url)
  const ada = payer()
  const pay = (i: number) =>
    app.ask(ada, '/api/payments', { body: order, headers: { 'idempotency-key': `key-${i}` } })
  // One key is stored before the outage. Its repetition needs PostgreSQL too.
  const stored = await pay(0)
  await Promise.all(Array.from({ length: 4 }, () => app.database.ping()))
  await ownPostgres.pause()
  for (const each of await contend(CONTENDERS, pay)) {
    expect(each).toMatchObject({ status: 'fulfilled', value: { status: 503 } })
    if (each.status !== 'fulfilled') continue
    expect(each.value.headers.get('retry-after')).toBe('1')
    expect(each.value.ms).toBeLessThan(2_000)
  }
  ownPostgres.resume()
  // PostgreSQL reads this after all earlier statements on the same connections.
  await Promise.all(Array.from({ length: 4 }, () => app.database.ping()))
  expect(await app.countOf(ada)).toBe(1)
  const repeated = await Promise.all(Array.from({ length: CONTENDERS }, (_, i) => pay(i)))
  expect(repeated.map(({ status }) => status)).toEqual(Array(CONTENDERS).fill(201))
  expect(repeated[0]?.text).toBe(stored.text)
  expect(repeated[1]?.headers.get('idempotency-status')).toBe('fresh')
  expect(await app.countOf(ada)).toBe(CONTENDERS)
})

test('the mutant with a bare insert is caught, because PostgreSQL runs it when it continues', async ({
  ownPostgres,
}) => {
  await using app = await openApp(ownPostgres.url)
  const { db } = app.database
  const bare = Object.create(db, {
    transaction: { value: (run: (tx: unknown) => unknown) => run(db) },
  })
  const mutant = createPayments({ db: bare, deliveries: app.deliveries })
  const { userId, ...rest } = payer()
  await app.database.ping()
  await ownPostgres.pause()
  await expect(mutant.create(userId, { ...order, currency: 'EUR' })).rejects.toThrow('Failed query')
  ownPostgres.resume()
  await until(async () => (await app.countOf({ userId, ...rest })) === 1)
})

test('payments answer 503 at once while PostgreSQL is stopped, and work again later', async ({
  ownPostgres,
}) => {
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
