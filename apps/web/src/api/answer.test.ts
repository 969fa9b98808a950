import { expect, test } from 'vitest'
import * as z from 'zod/mini'
import { toAnswer } from './answer.ts'

const schema = z.object({ id: z.string() })
const headers = { 'x-instance-id': 'gateway-2, auth-1' }
const servedBy = ['gateway-2', 'auth-1']

test('an answer that keeps the contract is ok, and names who served it', () => {
  const response = new Response(null, { headers: { ...headers, 'set-cookie': 'a=b' } })
  const answer = toAnswer(response, { id: '1', more: true }, schema)
  const rest = { servedBy, setCookie: ['a=b'], settled: null }
  expect(answer).toEqual({ outcome: 'ok', value: { id: '1' }, ...rest })
})

test('an answer that breaks the contract is as good as none', () => {
  expect(toAnswer(new Response(null, { headers }), { id: 1 }, schema)).toMatchObject({
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
])('%i means %s', (status, outcome) => {
  expect(toAnswer(new Response(null, { status }), undefined, schema).outcome).toBe(outcome)
})

test('a problem is told by its detail, and a fault by its field', () => {
  const errors = [{ field: 'amount', message: 'Must be above zero.' }]
  const body = { title: 'Unprocessable Content', detail: 'The payment is not valid.', errors }
  expect(toAnswer(new Response(null, { status: 422, headers }), body, schema)).toEqual({
    outcome: 'invalid',
    message: 'The payment is not valid.',
    errors,
    servedBy,
  })
})

test('Retry-After says when to ask again', () => {
  const response = new Response(null, { status: 503, headers: { 'retry-after': '7' } })
  expect(toAnswer(response, undefined, schema)).toMatchObject({ retryAfterSeconds: 7 })
})
