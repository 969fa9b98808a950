import { randomUUID } from 'node:crypto'
import type { Identity } from '@repo/service'
import { expect, test } from '@repo/testing'
import { openApp, order, payer, type TestApp } from './app.fixture.ts'

const path = '/api/payments'

function pay(app: TestApp, caller: Identity, key: string, body: unknown = order, target = path) {
  return app.ask(caller, target, { body, headers: { 'idempotency-key': key } })
}

/** The ledger entries of a payer: the sum and the number for each payment. */
async function entriesOf(app: TestApp, { userId }: Identity) {
  const text = `select sum(e.amount)::int as sum, count(*)::int as entries
    from payment p join ledger_entry e on e.payment_id = p.id where p.payer_id = $1 group by p.id`
  return (await app.database.pool.query(text, [userId])).rows
}

test('a repetition gets the same status, bytes and Location, and makes no second payment', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const [ada, key] = [payer(), randomUUID()]
  const first = await pay(app, ada, key)
  expect(first.status).toBe(201)
  expect(first.headers.get('idempotency-status')).toBe('fresh')
  expect(first.headers.get('idempotency-replayed')).toBeNull()
  for (const repeated of [key, key, `"${key}"`]) {
    const again = await pay(app, ada, repeated)
    expect([again.status, again.text]).toEqual([201, first.text])
    expect(again.headers.get('location')).toBe(`/api/payments/${String(first.body['id'])}`)
    expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'))
    expect(again.headers.get('idempotency-replayed')).toBe('true')
  }
  expect(await app.countOf(ada)).toBe(1)
  expect(await entriesOf(app, ada)).toEqual([{ sum: 0, entries: 2 }])
})

test('without a key each request is one payment, and equal payments have their keys', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const ada = payer()
  for (const headers of [{}, {}]) {
    const made = await app.ask(ada, path, { body: order, headers })
    expect(made.status).toBe(201)
    expect(made.headers.get('idempotency-status')).toBeNull()
  }
  await pay(app, ada, randomUUID())
  await pay(app, ada, randomUUID())
  expect(await app.countOf(ada)).toBe(4)
  expect(await entriesOf(app, ada)).toEqual(
    Array.from({ length: 4 }, () => ({ sum: 0, entries: 2 })),
  )
})

test('a key of another user is another key', async ({ databaseUrl }) => {
  await using app = await openApp(databaseUrl)
  const [ada, bob, key] = [payer(), payer(), randomUUID()]
  const first = await pay(app, ada, key)
  const second = await pay(app, bob, key)
  expect(second.status).toBe(201)
  expect(second.headers.get('idempotency-replayed')).toBeNull()
  expect(second.body['id']).not.toBe(first.body['id'])
  expect([await app.countOf(ada), await app.countOf(bob)]).toEqual([1, 1])
})

test('a key with another body or another query is refused with 422, and makes no payment', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const [ada, key] = [payer(), randomUUID()]
  await pay(app, ada, key)
  for (const [body, target] of [
    [{ ...order, amount: 1_251 }, path],
    [`${JSON.stringify(order)} `, path],
    [order, `${path}?x=1`],
  ] as const) {
    const refused = await pay(app, ada, key, body, target)
    expect(refused).toMatchObject({
      status: 422,
      body: { type: 'urn:threefold:problem:idempotency-key-reused' },
    })
    expect(refused.headers.get('content-type')).toBe('application/problem+json')
  }
  expect(await app.countOf(ada)).toBe(1)
})

test('a malformed key is refused with 400 that names the rule, and makes no payment', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const ada = payer()
  for (const key of ['', 'a b', 'a, b', 'x'.repeat(256)]) {
    expect(await pay(app, ada, key), key).toMatchObject({
      status: 400,
      body: { type: 'urn:threefold:problem:idempotency-key-malformed' },
    })
  }
  expect(await app.countOf(ada)).toBe(0)
})

test('a refused body is the response of its key, and a corrected one needs another key', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const [ada, key] = [payer(), randomUUID()]
  const wrong = { ...order, amount: 0 }
  const first = await pay(app, ada, key, wrong)
  const again = await pay(app, ada, key, wrong)
  expect([first.status, again.status]).toEqual([422, 422])
  expect(again.text).toBe(first.text)
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  const corrected = await pay(app, ada, key)
  expect(corrected.body['type']).toBe('urn:threefold:problem:idempotency-key-reused')
  expect((await pay(app, ada, randomUUID())).status).toBe(201)
  expect(await app.countOf(ada)).toBe(1)
})

test('a payment that fails at its commit leaves no key, so its repetition makes one payment', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const { pool } = app.database
  await pool.query(
    `create function fail_keyed() returns trigger language plpgsql as $$
     begin raise exception using errcode = '40001'; end $$`,
  )
  const [ada, key] = [payer(), randomUUID()]
  for (const when of [
    'before insert on payment',
    'after insert on payment deferrable initially deferred',
  ]) {
    const kind = when.startsWith('after') ? 'constraint trigger' : 'trigger'
    await pool.query(`create ${kind} fail_keyed ${when} for each row execute function fail_keyed()`)
    expect((await pay(app, ada, key)).status).toBe(503)
    await pool.query('drop trigger fail_keyed on payment')
    const { rows } = await pool.query('select id from idempotency_key where state = $1', [
      'pending',
    ])
    expect(rows).toEqual([])
  }
  expect(await app.countOf(ada)).toBe(0)
  const made = await pay(app, ada, key)
  expect([made.status, made.headers.get('idempotency-status')]).toEqual([201, 'fresh'])
  expect((await pay(app, ada, key)).text).toBe(made.text)
  expect(await app.countOf(ada)).toBe(1)
})

test('the message about a payment has a key that the request determines, also in another attempt', async ({
  databaseUrl,
}) => {
  const receiver = { url: 'http://127.0.0.1:9/', secret: undefined }
  await using app = await openApp(databaseUrl, receiver)
  const { pool } = app.database
  const [ada, bob, key] = [payer(), payer(), randomUUID()]
  await pay(app, ada, key)
  // As if the first attempt had not been stored.
  await pool.query('truncate idempotency_key')
  await pay(app, ada, key)
  await pay(app, bob, key)
  await app.ask(ada, path, { body: order })
  const { rows } = await pool.query<{ key: string }>('select key from payment_delivery order by id')
  const [first, second, ...others] = rows.map((row) => row.key)
  expect(second).toBe(first)
  expect(new Set([first, ...others]).size).toBe(3)
  await pool.query('truncate payment_delivery')
})

test('an administrator who acts for the payer gets 403 for a keyed payment, and the payer pays with the same key', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const [ada, key] = [payer(), randomUUID()]
  const impersonated = { ...ada, actor: { id: randomUUID(), name: 'Grace' } }
  expect((await pay(app, impersonated, key)).status).toBe(403)
  const made = await pay(app, ada, key)
  expect(made.headers.get('idempotency-status')).toBe('fresh')
  expect(await app.countOf(ada)).toBe(1)
})
