import { describe, expect, test } from '@repo/testing'
import { poolSize } from './pool-size.ts'

describe('the pools of all instances together', () => {
  test('stay within the grant for every number of instances that it can serve', () => {
    const connections = Array.from({ length: 200 }, (_, index) => index + 1)
    const cases = connections.flatMap((granted) =>
      connections.slice(0, granted).map((instances) => {
        const size = poolSize({ connections: granted, instances })
        return { within: size * instances <= granted, spare: (size + 1) * instances <= granted }
      }),
    )
    expect(cases).toHaveLength(20_100)
    expect(cases.filter(({ within }) => !within)).toEqual([])
    // Nor do they leave so much unused that each could have one more.
    expect(cases.filter(({ spare }) => spare)).toEqual([])
  })

  test('have one connection each where the grant is too small for that', () => {
    expect(poolSize({ connections: 5, instances: 12 })).toBe(1)
  })
})
