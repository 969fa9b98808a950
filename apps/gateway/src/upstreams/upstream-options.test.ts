import { expect, test } from 'vitest'
import { upstreamOptions, upstreamOptionsOf } from './upstream-options.ts'

test('the protections of services are read with their units, and a service without an entry has no protection', () => {
  const list = upstreamOptions().parse('payments in-flight=200 breaker=50 hedge=95; auth hedge=50')
  expect(upstreamOptionsOf(list, 'payments')).toEqual({
    maxInFlight: 200,
    breaker: { errorRate: 0.5 },
    hedging: { percentile: 0.95 },
  })
  expect(upstreamOptionsOf(list, 'auth')).toEqual({ hedging: { percentile: 0.5 } })
  expect(upstreamOptionsOf(list, 'web')).toEqual({})
  expect(upstreamOptionsOf([], 'payments')).toEqual({})
})

test.for([
  '',
  'payments',
  'other in-flight=1',
  'payments in-flight=0',
  'payments in-flight=1.5',
  'payments breaker=0',
  'payments breaker=101',
  'payments hedge=49',
  'payments hedge=100',
  'payments retries=1',
  'payments constructor=1',
  'payments hedge=50 hedge=60',
  'payments hedge=50;',
  'payments hedge=50; payments breaker=50',
])('the protections "%s" are refused with an example', (text) => {
  expect(upstreamOptions().safeParse(text).error?.issues[0]?.message).toMatch(/such as: payments/)
})
