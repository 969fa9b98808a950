import { expect, test } from 'vitest'
import { formatAddress } from './address.ts'

test.each([
  ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
  ['0000:0000:0000:0000:0000:0000:0000:0000', '::'],
  ['203.0.113.7', '203.0.113.7'],
  ['unknown', 'unknown'],
])('the address %s is shown as %s', (address, text) => {
  expect(formatAddress(address)).toBe(text)
})
