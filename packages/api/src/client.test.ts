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

/** A body that begins with a part of a JSON text. */
function beginBody(end: (body: ReadableStreamDefaultController) => void) {
  return new ReadableStream({
    start(body) {
      body.enqueue(new TextEncoder().encode('{"payments":'))
      end(body)
    },
  })
}

async function callPayments(body: ReadableStream) {
  const client = createClient({
    origin: 'https://example.com',
    fetch: async () => new Response(body),
  })
  return client.call('GET /api/payments', {})
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

test('an endpoint of auth has the body, the query and the response of the contract', async () => {
  const { client, sent } = open(200, { users: [], total: 0 })
  const page = await client.call('GET /api/auth/admin/list-users', { query: { limit: 20 } })
  expect(page.outcome === 'ok' && page.value.total).toBe(0)
  expect(sent[0]?.url).toBe('https://example.com/api/auth/admin/list-users?limit=20')
  const out = open(200, { success: true })
  expect(await out.client.call('POST /api/auth/sign-out', { body: {} })).toMatchObject({
    outcome: 'ok',
    value: { success: true },
  })
  expect(out.sent[0]?.init).toMatchObject({ method: 'POST', body: '{}' })
  // @ts-expect-error -- the password is missing
  await out.client.call('POST /api/auth/sign-in/email', { body: { email: 'a@example.com' } })
})

test('a body that breaks off rejects, and a complete body that is not JSON is invalid', async () => {
  const broken = beginBody((body) => body.error(new TypeError('terminated')))
  await expect(callPayments(broken)).rejects.toThrow('terminated')
  const complete = beginBody((body) => body.close())
  expect(await callPayments(complete)).toMatchObject({ outcome: 'invalid' })
})

test('a success with a status that the endpoint does not have is invalid', async () => {
  const { client } = open(202, made)
  const result = await client.call('GET /api/payments/{id}', { params: { id: '7' } })
  expect(result).toMatchObject({ outcome: 'invalid', status: 202 })
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
