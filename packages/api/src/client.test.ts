import { expect, test } from 'vitest'
import { createClient } from './client.ts'

const made = {
  id: '7',
  amount: 5,
  currency: 'EUR',
  reference: 'x',
  createdAt: '2026-11-29T12:00:00Z',
}

/** A client whose requests are stored, and all get this response. */
function open(status: number, body: unknown) {
  const sent: { url: string; init: RequestInit }[] = []
  const client = createClient({
    origin: 'https://example.com',
    async fetch(url, init) {
      sent.push({ url: url.href, init })
      return new Response(JSON.stringify(body), { status })
    },
  })
  return { client, sent }
}

test('a call sends the method, the path with its parameters and the body, and returns the parsed response', async () => {
  const { client, sent } = open(201, made)
  const body = { amount: 5, currency: 'EUR', reference: 'x' } as const
  const paid = await client.call('POST /api/payments', {
    body,
    headers: { 'idempotency-key': 'k' },
  })
  expect(paid).toMatchObject({ outcome: 'ok', status: 201, value: { createdAt: expect.any(Date) } })
  if (paid.outcome === 'ok') expect(paid.value.createdAt.getTime()).toBe(1_795_953_600_000)
  expect(sent[0]).toMatchObject({
    url: 'https://example.com/api/payments',
    init: { method: 'POST', headers: { 'idempotency-key': 'k' }, body: JSON.stringify(body) },
  })
  const found = open(200, made)
  await found.client.call('GET /api/payments/{id}', { params: { id: '../a?b' } })
  expect(found.sent[0]?.url).toBe('https://example.com/api/payments/..%2Fa%3Fb')
  const report = open(500, 'not json')
  await report.client.call('GET /api/limits', { query: { minutes: 15 } })
  expect(report.sent[0]?.url).toBe('https://example.com/api/limits?minutes=15')
})

test('a refusal is a problem, and a success that does not match the schema is invalid', async () => {
  const problem = { title: 'Not Found', detail: 'There is no such payment.' }
  const missing = open(404, problem).client
  expect(await missing.call('GET /api/payments/{id}', { params: { id: '7' } })).toMatchObject({
    outcome: 'problem',
    status: 404,
    problem,
  })
  const broken = open(200, { ...made, amount: 'five' }).client
  expect(await broken.call('GET /api/payments/{id}', { params: { id: '7' } })).toMatchObject({
    outcome: 'invalid',
  })
})

test('the compiler refuses an unknown endpoint, a missing parameter and a faulty body', async () => {
  const { client } = open(200, made)
  // @ts-expect-error -- there is no such endpoint
  await expect(client.call('GET /api/none', {})).rejects.toThrow('there is no endpoint')
  // @ts-expect-error -- the path has a parameter
  await client.call('GET /api/payments/{id}', {})
  // @ts-expect-error -- the amount is a number
  await client.call('POST /api/payments', { body: { ...made, amount: '5' } })
})
