import { expect, test } from '@repo/testing'
import { poolSize } from './pool-size.ts'

test('the pools of all instances stay within the granted connections', () => {
  const connections = Array.from({ length: 200 }, (_, index) => index + 1)
  const cases = connections.flatMap((granted) =>
    connections.slice(0, granted).map((instances) => {
      const size = poolSize({ connections: granted, instances })
      return { within: size * instances <= granted, spare: (size + 1) * instances <= granted }
    }),
  )
  expect(cases).toHaveLength(20_100)
  expect(cases.filter(({ within }) => !within)).toEqual([])
  // The unused rest is too small for one more connection each.
  expect(cases.filter(({ spare }) => spare)).toEqual([])
})

test('each instance has one connection if the granted ones are fewer than the instances', () => {
  expect(poolSize({ connections: 5, instances: 12 })).toBe(1)
})
