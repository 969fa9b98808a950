import { expect, test } from 'vitest'
import { endpoints } from '../endpoints.ts'
import { createOpenApiDocument, createResponseCheck } from './document.ts'

const check = createResponseCheck(
  createOpenApiDocument({
    endpoints,
    origin: 'https://example.com',
    cookieName: 'c',
    version: '1',
  }),
)
const made = { method: 'POST', path: '/api/payments', status: 201 }
const body = {
  id: '7',
  amount: 1_250,
  currency: 'EUR',
  reference: 'Invoice 7',
  createdAt: '2026-11-29T12:00:00.000Z',
}

test('a response that the document describes has no fault, also with a field of a later release', () => {
  expect(check({ ...made, body })).toBeUndefined()
  expect(check({ ...made, body: { ...body, later: true } })).toBeUndefined()
  const problem = { type: 'about:blank', title: 'Conflict', status: 409, detail: 'In flight.' }
  expect(check({ ...made, status: 409, body: problem })).toBeUndefined()
})

test.each([
  ['without a field', { ...body, amount: undefined }, 'amount'],
  ['with a fraction', { ...body, amount: 0.5 }, 'amount'],
  ['with another type', { ...body, reference: null }, 'reference'],
  ['with a date that is no text', { ...body, createdAt: 1_700_000_000_000 }, 'createdAt'],
])('a response %s is a mismatch that names the field', (_, changed, field) => {
  expect(check({ ...made, body: changed })).toEqual({
    outcome: 'mismatch',
    issues: [expect.stringContaining(field)],
  })
})

test('an operation or a status that the document does not have is undocumented', () => {
  expect(check({ ...made, status: 418, body })).toEqual({ outcome: 'undocumented', what: 'status' })
  expect(check({ ...made, path: '/api/none', body })).toMatchObject({ what: 'operation' })
  expect(check({ ...made, status: 409, body: {} })).toMatchObject({ outcome: 'mismatch' })
})
