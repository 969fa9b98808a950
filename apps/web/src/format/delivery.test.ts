import { expect, test } from 'vitest'
import { describeDelivery } from './delivery.ts'

const delivery = { outcome: 'everywhere' as const, lapsed: [], failed: [] }

test('says how many instances of all have it, and how soon', () => {
  const acked = ['gateway-1', 'gateway-2', 'web-1']
  expect(describeDelivery({ ...delivery, acked, ms: 2.6 })).toBe(
    'Shown by 3 of 3 instances after 3 ms.',
  )
  expect(describeDelivery({ ...delivery, acked, ms: 0.2 })).toBe(
    'Shown by 3 of 3 instances after 1 ms.',
  )
})

test('names the instances that did not answer', () => {
  const silent = { acked: ['web-1'], lapsed: ['web-2'], failed: ['web-3'], ms: 1_000 }
  expect(describeDelivery({ ...delivery, ...silent })).toContain(
    'Shown by 1 of 3 instances after 1000 ms. Not heard from: web-2, web-3',
  )
})

test('says that a change is kept when nobody could be told', () => {
  expect(describeDelivery({ outcome: 'pending' })).toContain('as soon as Redis is back')
})
