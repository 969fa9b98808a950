import { expect, test } from 'vitest'
import { describeSettled, settledIn, settledOf, settledQuery } from './settled.ts'

test('how far a revocation got travels by header and by query, and is told in words', () => {
  const settled = settledOf('confirmed; instances=12; acked=11; lapsed=1; ms=11.6')
  expect(settled).toEqual({ acked: 11, instances: 12, ms: 11.6 })
  const query = Object.fromEntries(new URLSearchParams(settledQuery(settled)))
  expect(settledIn(query)).toEqual(settled)
  expect(describeSettled(settled)).toBe('gone from 11 of 12 instances in 12 ms')
})

test.for([null, 'pending; ms=251', 'sent; ms=2', 'confirmed; instances=x; acked=1; ms=1'])(
  'without figures it is told as on its way: %s',
  (header) => {
    expect(settledOf(header)).toBeNull()
    expect(settledIn(Object.fromEntries(new URLSearchParams(settledQuery(null))))).toBeNull()
    expect(describeSettled(null)).toContain('as soon as Redis is back')
  },
)

test('figures that somebody wrote into a link are none', () => {
  expect(settledIn({ acked: '<b>', instances: '3', ms: '1' })).toBeNull()
  expect(settledIn({ acked: ['1', '2'], instances: '3', ms: '1' })).toBeNull()
})
