import { randomUUID } from 'node:crypto'
import { payment } from '@repo/api'
import { contend, expect, test } from '@repo/testing'
import { type Ask, identityFor, openApp, order, payer, type TestApp } from './app.fixture.ts'

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('a POST makes one payment, and returns its location', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  const ada = payer()
  const made = await app.ask(ada, '/api/payments', { body: order })
  expect(made.status).toBe(201)
  expect(made.body).toEqual({
    ...order,
    id: expect.stringMatching(UUID_V7),
    createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
  })
  expect(payment.parse(made.body)).toMatchObject({ ...order, createdAt: expect.any(Date) })
  const location = made.headers.get('location') ?? ''
  expect(location).toBe(`/api/payments/${String(made.body['id'])}`)
  expect(await app.ask(ada, location)).toMatchObject({ status: 200, body: made.body })
  expect(await app.countOf(ada)).toBe(1)
})

test('the largest and smallest values are accepted, and a reference is trimmed', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const ada = payer()
  for (const body of [
    { ...order, amount: 1, reference: 'x' },
    { ...order, amount: 100_000_000, reference: 'ü'.repeat(140) },
    { ...order, reference: `  ${'x'.repeat(140)}  ` },
  ]) {
    const made = await app.ask(ada, '/api/payments', { body })
    expect(made).toMatchObject({
      status: 201,
      body: { ...body, reference: body.reference.trim() },
    })
  }
})

test('a payer can make twenty payments at a time, and the next one when they are done', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const [ada, bob] = [payer(), payer()]
  const answers = await contend(31, (i) =>
    app.ask(i < 30 ? ada : bob, '/api/payments', { body: order }),
  )
  const responses = answers.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  expect(responses.filter(({ status }) => status === 201)).toHaveLength(21)
  const refused = responses.filter(({ status }) => status === 429)
  expect(refused).toHaveLength(10)
  expect(refused[0]?.body).toMatchObject({ 'violated-policies': ['payments-at-once'] })
  expect(await app.countOf(ada)).toBe(20)
  expect((await app.ask(ada, '/api/payments', { body: order })).status).toBe(201)
})

const faults: [name: string, body: object, field: string][] = [
  ['no amount', { currency: 'EUR', reference: 'x' }, 'amount'],
  ['an amount of 0', { ...order, amount: 0 }, 'amount'],
  ['a negative amount', { ...order, amount: -5 }, 'amount'],
  ['a fraction', { ...order, amount: 12.5 }, 'amount'],
  ['an amount over the limit', { ...order, amount: 100_000_001 }, 'amount'],
  ['an amount beyond all integers', { ...order, amount: 1e300 }, 'amount'],
  ['an amount as text', { ...order, amount: '1250' }, 'amount'],
  ['an unknown currency', { ...order, currency: 'XXX' }, 'currency'],
  ['a currency in lower case', { ...order, currency: 'eur' }, 'currency'],
  ['no reference', { amount: 1, currency: 'EUR' }, 'reference'],
  ['an empty reference', { ...order, reference: '' }, 'reference'],
  ['a blank reference', { ...order, reference: '  ' }, 'reference'],
  ['a long reference', { ...order, reference: 'x'.repeat(141) }, 'reference'],
  ['a NUL, which PostgreSQL cannot store', { ...order, reference: 'a\u0000b' }, 'reference'],
  ['a line break in the reference', { ...order, reference: 'a\nb' }, 'reference'],
  ['an unknown field', { ...order, payerId: 'another user' }, 'payerId'],
  ['an id', { ...order, id: randomUUID() }, 'id'],
]

test.for(faults)(
  'a payment with %s is refused with a 422 that names the field',
  async ([, body, field], { databaseUrl }) => {
    await using app = await openApp(databaseUrl)
    const ada = payer()
    const refused = await app.ask(ada, '/api/payments', { body })
    expect(refused.headers.get('content-type')).toBe('application/problem+json')
    expect(refused).toMatchObject({
      status: 422,
      body: { status: 422, detail: `The body is at fault in: ${field}.` },
    })
    expect(refused.body['errors']).toContainEqual({ field, message: expect.any(String) })
    expect(await app.countOf(ada)).toBe(0)
  },
)

test('a body that is not JSON is refused with 400, and an array with 422', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const ada = payer()
  expect(await app.ask(ada, '/api/payments', { body: '{"amount":' })).toMatchObject({
    status: 400,
  })
  expect(await app.ask(ada, '/api/payments', { body: [order] })).toMatchObject({ status: 422 })
  expect(await app.countOf(ada)).toBe(0)
})

test('a list has only the payments of the caller, the newest first', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  const [ada, bob] = [payer(), payer()]
  const made: unknown[] = []
  for (const reference of ['first', 'second', 'third']) {
    made.unshift((await app.ask(ada, '/api/payments', { body: { ...order, reference } })).body)
    await app.ask(bob, '/api/payments', { body: order })
  }
  expect((await app.ask(ada, '/api/payments')).body).toEqual({ payments: made })
  expect((await app.ask(payer(), '/api/payments')).body).toEqual({ payments: [] })
})

test('the caller finds the own payment; another user’s, an unknown and a malformed id are the same 404', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const [ada, bob] = [payer(), payer()]
  const { body } = await app.ask(ada, '/api/payments', { body: order })
  const path = `/api/payments/${String(body['id'])}`
  expect((await app.ask(ada, path)).body).toEqual(body)
  const others = [path, `/api/payments/${randomUUID()}`, '/api/payments/42', `/api/payments/x'--`]
  for (const each of others) {
    const answer = await app.ask(bob, each)
    expect(answer).toMatchObject({ status: 404, body: { detail: 'There is no such payment.' } })
  }
})

test('an administrator who acts for the payer can read, and gets 403 for a payment', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const ada = payer()
  const { body: made } = await app.ask(ada, '/api/payments', { body: order })
  const impersonated = { ...ada, actor: { id: randomUUID(), name: 'Grace' } }
  expect((await app.ask(impersonated, '/api/payments')).body).toEqual({ payments: [made] })
  expect(await app.ask(impersonated, '/api/payments', { body: order })).toMatchObject({
    status: 403,
    body: { type: 'urn:threefold:problem:impersonating' },
  })
  expect(await app.countOf(ada)).toBe(1)
})

const path = '/api/payments'

const attempts: [name: string, headers: (app: TestApp) => Ask['headers']][] = [
  ['nothing', () => ({})],
  ['garbage', () => ({ 'x-identity': 'garbage' })],
  ['one for another method', () => identityFor(payer(), 'DELETE', path)],
  ['one for another path', () => identityFor(payer(), 'POST', '/api/payments/42')],
  ['one for another query', () => identityFor(payer(), 'POST', '/api/payments?x=1')],
  ['a plain user id', () => ({ 'x-user-id': 'ada' })],
]

test.for(attempts)(
  'a payment with %s instead of a signed identity gets 401, and writes nothing',
  async ([, headers], { databaseUrl }) => {
    await using app = await openApp(databaseUrl)
    const { rows: before } = await app.database.pool.query('select count(*) from payment')
    const refused = await app.ask(undefined, path, { body: order, headers: headers(app) ?? {} })
    expect(refused).toMatchObject({
      status: 401,
      body: { type: 'urn:threefold:problem:signed-out', status: 401 },
    })
    const { rows: after } = await app.database.pool.query('select count(*) from payment')
    expect(after).toEqual(before)
  },
)

test('reading payments without an identity is 401', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  expect((await app.ask(undefined, path)).status).toBe(401)
  expect((await app.ask(undefined, `${path}/${randomUUID()}`)).status).toBe(401)
})

test('the signature of an identity covers the query in every spelling', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  for (const query of ['', '?', '?a=b%20c', '?q="x"', '?ü']) {
    expect((await app.ask(payer(), path + query)).status).toBe(200)
  }
})
