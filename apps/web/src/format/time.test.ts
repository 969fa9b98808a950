import { expect, test } from 'vitest'
import { ago, inUtc } from './time.ts'

const now = new Date('2026-11-24T12:00:00Z')

test.each([
  ['2026-11-24T11:59:30Z', 'just now'],
  ['2026-11-24T12:00:05Z', 'just now'],
  ['2026-11-24T11:58:59Z', '1 minute ago'],
  ['2026-11-24T09:00:00Z', '3 hours ago'],
  ['2026-11-23T12:00:00Z', 'yesterday'],
])('the moment %s is described as %s', (date, words) => {
  expect(ago(new Date(date), now)).toBe(words)
})

test('every instance formats a moment in the same time zone', () => {
  expect(inUtc(now)).toBe('24 Nov 2026, 12:00 UTC')
})
