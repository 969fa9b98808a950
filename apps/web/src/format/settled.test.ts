import { expect, test } from 'vitest'
import { describeSettled, settledIn, settledOf, settledQuery } from './settled.ts'

test('the figures of a revocation are read from a header, passed in a query, and described in words', () => {
  const settled = settledOf('confirmed; instances=12; acked=11; lapsed=1; ms=11.6')
  expect(settled).toEqual({ acked: 11, instances: 12, ms: 11.6 })
  const query = Object.fromEntries(new URLSearchParams(settledQuery(settled)))
  expect(settledIn(query)).toEqual(settled)
  expect(describeSettled(settled)).toBe('confirmed by 11 of 12 instances in 12 ms')
})

test.for([null, 'pending; ms=251', 'sent; ms=2', 'confirmed; instances=x; acked=1; ms=1'])(
  'a revocation without figures is described as applied later: %s',
  (header) => {
    expect(settledOf(header)).toBeNull()
    expect(settledIn(Object.fromEntries(new URLSearchParams(settledQuery(null))))).toBeNull()
    expect(describeSettled(null)).toContain('when Redis is available again')
  },
)

test('figures in a link that are not numbers are ignored', () => {
  expect(settledIn({ acked: '<b>', instances: '3', ms: '1' })).toBeNull()
  expect(settledIn({ acked: ['1', '2'], instances: '3', ms: '1' })).toBeNull()
})
