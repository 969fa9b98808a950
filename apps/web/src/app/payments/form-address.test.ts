import { expect, test } from 'vitest'
import { formAddress, formKeyIn, resultAddress } from './form-address.ts'

const key = '0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9'
const queryOf = (address: string) =>
  Object.fromEntries(new URL(address, 'http://web.test').searchParams)

test('the address of a form has its key', () => {
  expect(formKeyIn(queryOf(formAddress(key)))).toBe(key)
  expect(formKeyIn({ form: key.toUpperCase() })).toBe(key)
})

test.each([undefined, '', 'x', `${key} `, `${key},${key}`, [key, key], 'a'.repeat(300)])(
  'a page with the form %j has no key, and creates one',
  (form) => {
    expect(formKeyIn({ form })).toBeUndefined()
  },
)

test('the address of a result names the payment, and has a new key each time', () => {
  const made = queryOf(resultAddress('a&b', false))
  const again = queryOf(resultAddress('a&b', true))
  expect(made).toEqual({ form: expect.any(String), made: 'a&b' })
  expect(again).toEqual({ form: expect.any(String), again: 'a&b' })
  const keys = new Set([key, formKeyIn(made), formKeyIn(again)])
  expect(keys.size).toBe(3)
  expect(keys).not.toContain(undefined)
})
