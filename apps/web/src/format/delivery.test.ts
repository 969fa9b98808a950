import { expect, test } from 'vitest'
import { describeDelivery } from './delivery.ts'

const delivery = { outcome: 'everywhere' as const, lapsed: [], failed: [] }

test('a delivered change is described by the number of instances that applied it, and the time', () => {
  const acked = ['gateway-1', 'gateway-2', 'web-1']
  expect(describeDelivery({ ...delivery, acked, ms: 2.6 })).toBe(
    'Applied on 3 of 3 instances in 3 ms.',
  )
  expect(describeDelivery({ ...delivery, acked, ms: 0.2 })).toBe(
    'Applied on 3 of 3 instances in 1 ms.',
  )
})

test('the description of a change names the instances that did not confirm it', () => {
  const missing = { acked: ['web-1'], lapsed: ['web-2'], failed: ['web-3'], ms: 1_000 }
  expect(describeDelivery({ ...delivery, ...missing })).toContain(
    'Applied on 1 of 3 instances in 1000 ms. Not confirmed by web-2, web-3',
  )
})

test('without Redis a change is described as stored, and applied later', () => {
  expect(describeDelivery({ outcome: 'pending' })).toContain('when Redis is available again')
})
