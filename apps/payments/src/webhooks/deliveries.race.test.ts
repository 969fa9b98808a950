/* oxlint-disable no-empty-pattern -- vitest reads what a fixture needs from this very pattern */
import { expect, type Replica, test as base, until } from '@repo/testing'
import { identityFor, openApp, order, payer, SECRET } from '../app.fixture.ts'
import { openReceiver } from './receiver.fixture.ts'

const program = new URL('../main.ts', import.meta.url)
const WEBHOOK_SECRET = `whsec_${Buffer.from('a key of 32 bytes for the tests!').toString('base64')}`

/** `test` with a receiver, and with `start(count)`, which starts instances that send messages to it. */
const test = base
  .extend('receiver', async ({}, { onCleanup }) => {
    const receiver = await openReceiver()
    onCleanup(() => receiver[Symbol.asyncDispose]())
    return receiver
  })
  .extend('start', async ({ replicas, databaseUrl, redisUrl, receiver }) => {
    const env = {
      ...{ HOST: '127.0.0.1', ORIGIN: 'http://localhost:8080', DRAIN_MS: '0' },
      ...{ DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, INTERNAL_SECRET: SECRET },
      ...{ PAYMENT_WEBHOOK_URL: receiver.url, PAYMENT_WEBHOOK_SECRET: WEBHOOK_SECRET },
    }
    return (count: number) => replicas(count, { program, env, ready: '/readyz' })
  })

async function pay({ url }: Replica, reference: string): Promise<number> {
  const body = JSON.stringify({ ...order, reference })
  const answer = await fetch(`${url}/api/payments`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...identityFor(payer(), 'POST', '/api/payments', body),
    },
    body,
  })
  await answer.arrayBuffer()
  return answer.status
}

test('each of 90 payments on three instances sends one message while all instances look for messages', async ({
  databaseUrl,
  receiver,
  start,
}) => {
  const instances = await start(3)
  const references = Array.from({ length: 90 }, (_, i) => `payment ${i}`)
  const statuses = await Promise.all(
    references.map((reference, i) => pay(instances[i % 3]!, reference)),
  )
  expect(new Set(statuses)).toEqual(new Set([201]))
  await using app = await openApp(databaseUrl)
  await until(async () => {
    const { rows } = await app.database.pool.query('select id from payment_delivery')
    return rows.length === 0
  })
  const sent = receiver.received.map(({ body }) => String(JSON.parse(body).data.reference))
  expect(sent.toSorted()).toEqual(references.toSorted())
  expect(new Set(receiver.received.map(({ key }) => key)).size).toBe(90)
  for (const instance of instances) {
    expect(await instance.terminate()).toBe(0)
    expect(instance.output()).not.toContain('not-for-logs')
    expect(instance.output()).not.toContain(WEBHOOK_SECRET)
  }
})

test('the mutant without a lease sends a message twice while another instance sends it', async ({
  databaseUrl,
  receiver,
}) => {
  const target = { url: receiver.url, secret: undefined }
  const pace = { leaseMs: 0, deadlineMs: 60_000 }
  await using one = await openApp(databaseUrl, target, pace)
  await using two = await openApp(databaseUrl, target, pace)
  receiver.respond = () => undefined
  expect(two.deliveries.isOn).toBe(true)
  await one.ask(payer(), '/api/payments', { body: order })
  // The first request is in flight until its deadline.
  await until(() => receiver.received.length >= 2)
  expect(new Set(receiver.received.map(({ key }) => key)).size).toBe(1)
})

test('a message is delivered by another instance when its instance is killed with -9 between the commit and the delivery', async ({
  receiver,
  start,
}) => {
  const [victim, other] = await start(2)
  await receiver.down()
  expect(await pay(victim!, 'not sent')).toBe(201)
  await victim!.kill()
  await receiver.up()
  await until(() => receiver.received.some(({ body }) => body.includes('not sent')))
  expect(await other!.terminate()).toBe(0)
})

test('a message is sent again with the same key when its instance is killed with -9 before the receiver responds', async ({
  receiver,
  start,
}) => {
  const [victim] = await start(1)
  receiver.respond = () => undefined
  expect(await pay(victim!, 'in flight')).toBe(201)
  await until(() => receiver.received.length === 1)
  await victim!.kill()
  receiver.respond = (res) => res.writeHead(204).end()
  const [heir] = await start(1)
  // The lease of the victim ends after 10 s.
  await until(() => receiver.received.length === 2, { timeoutMs: 25_000 })
  const [first, second] = receiver.received
  expect([second?.key, second?.id, second?.body]).toEqual([first?.key, first?.id, first?.body])
  expect(await heir!.terminate()).toBe(0)
  expect(victim!.output() + heir!.output()).not.toContain('not-for-logs')
})
