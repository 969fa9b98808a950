import { expect, test } from 'vitest'
import { formatAmount, parseAmount } from './money.ts'

test.each([
  ['12.50', 'EUR', 1_250],
  ['12,5', 'EUR', 1_250],
  [' 0.29 ', 'USD', 29],
  // 1.15 * 100 is 114.99999999999999 in floats.
  ['1.15', 'GBP', 115],
  ['4800', 'JPY', 4_800],
  ['0.125', 'KWD', 125],
])('the amount "%s" in %s is parsed digit by digit', (text, currency, minor) => {
  expect(parseAmount(text, currency)).toEqual({ outcome: 'ok', minor })
})

test.each([
  ['12.505', 'EUR', 'An amount in EUR has at most 2 decimals.'],
  ['1.5', 'JPY', 'An amount in JPY has no decimals.'],
  ['0.00', 'EUR', 'Enter an amount above zero.'],
  ['-1', 'EUR', 'Enter an amount such as 12.50.'],
  ['1e3', 'EUR', 'Enter an amount such as 12.50.'],
  ['', 'EUR', 'Enter an amount such as 12.50.'],
])('the amount "%s" in %s is refused with a reason', (text, currency, message) => {
  expect(parseAmount(text, currency)).toEqual({ outcome: 'invalid', message })
})

test('an amount is formatted with the number of decimals of its currency', () => {
  expect(formatAmount(1_250, 'EUR')).toBe('€12.50')
  expect(formatAmount(4_800, 'JPY')).toBe('¥4,800')
})
