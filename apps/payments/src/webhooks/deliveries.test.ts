import { expect, test, until } from '@repo/testing'
import { Webhook } from 'standardwebhooks'
import { openApp, order, payer } from '../app.fixture.ts'
import { createDeliveryRows } from './delivery-rows.ts'
import { openReceiver } from './receiver.fixture.ts'

const KEY = Buffer.from('a key of 32 bytes for the tests!')

async function waiting(app: Awaited<ReturnType<typeof openApp>>): Promise<number> {
  const { rows } = await app.database.pool.query('select id from payment_delivery')
  return rows.length
}

test('a payment sends one signed message with its data, which a library of Standard Webhooks accepts', async ({
  databaseUrl,
}) => {
  await using receiver = await openReceiver()
  await using app = await openApp(databaseUrl, { url: receiver.url, secret: KEY })
  const { body: made } = await app.ask(payer(), '/api/payments', { body: order })
  const [message] = await until(() => receiver.received.length > 0 && receiver.received)
  expect(message).toMatchObject({ method: 'POST', url: '/hook?token=not-for-logs' })
  expect(message?.key).toMatch(/^[\w-]{43}$/)
  expect(message?.headers['content-type']).toBe('application/json')
  const webhook = new Webhook(`whsec_${KEY.toString('base64')}`)
  const headers = Object.fromEntries(
    ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => [
      name,
      String(message?.headers[name]),
    ]),
  )
  const verified = webhook.verify(message?.body ?? '', headers)
  expect(verified).toEqual({ type: 'payment.made', timestamp: made['createdAt'], data: made })
  expect(() => webhook.verify(`${message?.body} `, headers)).toThrow('No matching signature')
  await until(async () => (await waiting(app)) === 0)
  expect(receiver.received).toHaveLength(1)
})

test('without a receiver no message is written, and without a secret it has no signature', async ({
  databaseUrl,
}) => {
  await using quiet = await openApp(databaseUrl)
  expect((await quiet.ask(payer(), '/api/payments', { body: order })).status).toBe(201)
  expect(await waiting(quiet)).toBe(0)
  await using receiver = await openReceiver()
  await using app = await openApp(databaseUrl, { url: receiver.url, secret: undefined })
  await app.ask(payer(), '/api/payments', { body: order })
  const [message] = await until(() => receiver.received.length > 0 && receiver.received)
  expect(message?.headers).not.toHaveProperty('webhook-signature')
})

test('a payment that is not committed sends no message', async ({ databaseUrl }) => {
  await using receiver = await openReceiver()
  await using app = await openApp(databaseUrl, { url: receiver.url, secret: undefined })
  const { pool } = app.database
  await pool.query(
    `create function fail_at_commit() returns trigger language plpgsql as $$
     begin raise exception using errcode = '40001'; end $$`,
  )
  await pool.query(
    `create constraint trigger fail_at_commit after insert on payment
     deferrable initially deferred for each row execute function fail_at_commit()`,
  )
  expect((await app.ask(payer(), '/api/payments', { body: order })).status).toBe(503)
  await pool.query('drop trigger fail_at_commit on payment')
  expect(await waiting(app)).toBe(0)
  // The next message is sent after every one that was written before it.
  const { body: made } = await app.ask(payer(), '/api/payments', { body: order })
  const [message] = await until(() => receiver.received.length > 0 && receiver.received)
  expect(JSON.parse(message?.body ?? '').data).toEqual(made)
})

test('a receiver that is down gets each message when it is up, and payments do not wait for it', async ({
  databaseUrl,
}) => {
  await using receiver = await openReceiver()
  await using app = await openApp(databaseUrl, { url: receiver.url, secret: KEY })
  await receiver.down()
  for (const reference of ['first', 'second', 'third']) {
    const made = await app.ask(payer(), '/api/payments', { body: { ...order, reference } })
    expect(made.status).toBe(201)
  }
  const { figures } = app.deliveries
  await until(() => figures.failed >= 6 && figures.pending === 3 && figures.oldestSeconds > 0)
  await receiver.up()
  await until(async () => (await waiting(app)) === 0)
  const references = receiver.received.map(({ body }) => String(JSON.parse(body).data.reference))
  expect(references.toSorted()).toEqual(['first', 'second', 'third'])
  await until(() => figures.pending === 0 && figures.oldestSeconds === 0)
  expect(figures.delivered).toBe(3)
})

test('a message is sent again after a status that is no success, with the same key, id and body, and no redirect is followed', async ({
  databaseUrl,
}) => {
  await using receiver = await openReceiver()
  await using elsewhere = await openReceiver()
  await using app = await openApp(databaseUrl, { url: receiver.url, secret: KEY })
  const refusals = [500, 404, 410, 429, 302, 307]
  receiver.respond = (res) => {
    const status = refusals.shift() ?? 200
    res.writeHead(status, { location: elsewhere.url }).end('x'.repeat(100_000))
  }
  await app.ask(payer(), '/api/payments', { body: order })
  await until(async () => (await waiting(app)) === 0)
  expect(receiver.received).toHaveLength(7)
  const sent = receiver.received.map(({ key, id, body }) => [key, id, body].join())
  expect(new Set(sent).size).toBe(1)
  expect(elsewhere.received).toEqual([])
  expect(app.deliveries.figures).toMatchObject({ failed: 6, delivered: 1 })
})

test('a receiver that hangs delays no payment, and gets the message again after the deadline', async ({
  databaseUrl,
}) => {
  await using receiver = await openReceiver()
  await using app = await openApp(databaseUrl, { url: receiver.url, secret: KEY })
  receiver.respond = () => undefined
  await app.ask(payer(), '/api/payments', { body: order })
  await until(() => receiver.received.length === 1)
  // The message of the first payment is in flight.
  expect((await app.ask(payer(), '/api/payments', { body: order })).status).toBe(201)
  await until(() => receiver.received.length >= 4)
  receiver.respond = (res) => res.writeHead(202).end()
  await until(async () => (await waiting(app)) === 0)
  expect(new Set(receiver.received.map(({ key }) => key)).size).toBe(2)
})

test('an instance that ends while a receiver hangs ends within its grace, and its message is due at once', async ({
  databaseUrl,
}) => {
  await using receiver = await openReceiver()
  const app = await openApp(databaseUrl, { url: receiver.url, secret: KEY })
  receiver.respond = () => undefined
  await app.ask(payer(), '/api/payments', { body: order })
  await until(() => receiver.received.length === 1)
  await app[Symbol.asyncDispose]()
  receiver.respond = (res) => res.writeHead(204).end()
  await using next = await openApp(databaseUrl, { url: receiver.url, secret: KEY })
  await until(async () => (await waiting(next)) === 0)
  expect(new Set(receiver.received.map(({ key }) => key)).size).toBe(1)
})

test('a look for due messages reads no message that waits for a receiver that is down', async ({
  databaseUrl,
}) => {
  await using app = await openApp(databaseUrl)
  const { db, pool } = app.database
  await pool.query(
    `insert into payment_delivery (id, key, body, due_at)
     select gen_random_uuid(), 'key', 'body', now() + interval '1 hour' from generate_series(1, 2000)`,
  )
  await pool.query('analyze payment_delivery')
  const { sql: text, params } = Object(createDeliveryRows(db).claim(16, 1_000)).toSQL()
  const { rows } = await pool.query(`explain (analyze, format json) ${text}`, params)
  const plan = JSON.stringify(rows)
  expect(plan).toContain('payment_delivery_due')
  expect(plan).not.toContain('Rows Removed by Filter')
})
