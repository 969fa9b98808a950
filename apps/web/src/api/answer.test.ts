import { createClient } from '@repo/api/client'
import { expect, test } from 'vitest'
import { toAnswer } from './answer.ts'

const headers = { 'x-instance-id': 'gateway-2, auth-1' }
const servedBy = ['gateway-2', 'auth-1']

async function answerOf(init: ResponseInit, body: unknown) {
  const client = createClient({
    origin: 'https://example.com',
    fetch: async () => new Response(JSON.stringify(body), init),
  })
  return toAnswer(await client.call('DELETE /api/keys/{id}', { params: { id: '1' } }))
}

test('a response that matches the schema is ok, and names the instances that served it', async () => {
  const init = { headers: { ...headers, 'set-cookie': 'a=b' } }
  const answer = await answerOf(init, { revoked: 1, ms: 2, more: true })
  const rest = { servedBy, setCookie: ['a=b'], settled: null, isReplay: false }
  expect(answer).toEqual({ outcome: 'ok', value: { revoked: 1, ms: 2 }, ...rest })
})

test('a response that does not match the schema is treated as unavailable', async () => {
  expect(await answerOf({ headers }, { revoked: 'one' })).toMatchObject({
    outcome: 'unavailable',
    servedBy,
  })
})

test.each([
  [400, 'invalid'],
  [401, 'signed-out'],
  [403, 'forbidden'],
  [409, 'invalid'],
  [422, 'invalid'],
  [429, 'unavailable'],
  [500, 'unavailable'],
  [503, 'unavailable'],
])('a response with status %i has the outcome %s', async (status, outcome) => {
  expect((await answerOf({ status }, undefined)).outcome).toBe(outcome)
})

test('an invalid request returns the detail of the problem, and the message of each field', async () => {
  const errors = [{ field: 'amount', message: 'Must be above zero.' }]
  const type = 'urn:threefold:problem:invalid-body'
  const body = { type, title: 'Unprocessable Content', detail: 'The payment is not valid.', errors }
  expect(await answerOf({ status: 422, headers }, body)).toEqual({
    outcome: 'invalid',
    message: 'The payment is not valid.',
    errors,
    code: 'invalid-body',
    retryAfterSeconds: 3,
    servedBy,
  })
})

test('a success that is a replay of an earlier response is marked as one', async () => {
  const init = { headers: { 'Idempotency-Replayed': 'true' } }
  expect(await answerOf(init, { revoked: 1, ms: 2 })).toMatchObject({ isReplay: true })
})

test('the time until the next attempt comes from Retry-After', async () => {
  const init = { status: 503, headers: { 'retry-after': '7' } }
  expect(await answerOf(init, undefined)).toMatchObject({ retryAfterSeconds: 7 })
})

test('a page shows no instruction about a key that it does not show', async () => {
  const type = 'urn:threefold:problem:idempotency-unavailable'
  const body = { type, detail: 'Send it again with the same key.' }
  expect(await answerOf({ status: 503 }, body)).toMatchObject({
    outcome: 'unavailable',
    message: 'The service is unavailable for a moment.',
  })
})
