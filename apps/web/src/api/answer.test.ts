import { expect, test } from 'vitest'
import * as z from 'zod/mini'
import { toAnswer } from './answer.ts'

const schema = z.object({ id: z.string() })
const headers = { 'x-instance-id': 'gateway-2, auth-1' }
const servedBy = ['gateway-2', 'auth-1']

test('a response that matches the schema is ok, and names the instances that served it', () => {
  const response = new Response(null, { headers: { ...headers, 'set-cookie': 'a=b' } })
  const answer = toAnswer(response, { id: '1', more: true }, schema)
  const rest = { servedBy, setCookie: ['a=b'], settled: null }
  expect(answer).toEqual({ outcome: 'ok', value: { id: '1' }, ...rest })
})

test('a response that does not match the schema is treated as unavailable', () => {
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
])('a response with status %i has the outcome %s', (status, outcome) => {
  expect(toAnswer(new Response(null, { status }), undefined, schema).outcome).toBe(outcome)
})

test('an invalid request returns the detail of the problem, and the message of each field', () => {
  const errors = [{ field: 'amount', message: 'Must be above zero.' }]
  const body = { title: 'Unprocessable Content', detail: 'The payment is not valid.', errors }
  expect(toAnswer(new Response(null, { status: 422, headers }), body, schema)).toEqual({
    outcome: 'invalid',
    message: 'The payment is not valid.',
    errors,
    servedBy,
  })
})

test('the time until the next attempt comes from Retry-After', () => {
  const response = new Response(null, { status: 503, headers: { 'retry-after': '7' } })
  expect(toAnswer(response, undefined, schema)).toMatchObject({ retryAfterSeconds: 7 })
})
