import { expect, test } from 'vitest'
import { createTwoGenerationMap } from './index.ts'

const MAX = 100

test('a map never has more than its maximum, and always has the half that was used last', () => {
  const map = createTwoGenerationMap<number>(MAX)
  const recent: number[] = []
  let random = 1
  for (let i = 0; i < 20_000; i += 1) {
    random = (random * 48_271) % 2_147_483_647
    const value = random % 300
    if (map.get(`${value}`) === undefined) map.set(`${value}`, value)
    const at = recent.indexOf(value)
    if (at >= 0) recent.splice(at, 1)
    recent.push(value)
    if (recent.length > MAX / 2) recent.shift()
    expect(map.size).toBeLessThanOrEqual(MAX)
    if (i % 97 === 0) for (const used of recent.slice()) expect(map.get(`${used}`)).toBe(used)
  }
})

test('a flood of keys does not evict an entry that is in use', () => {
  const map = createTwoGenerationMap<string>(MAX)
  map.set('used', 'value')
  for (let i = 0; i < 10 * MAX; i += 1) {
    map.set(`flood:${i}`, '')
    if (i % 10 === 0) expect(map.get('used')).toBe('value')
  }
  expect(map.get('flood:0')).toBeUndefined()
})

test('a value that was replaced or deleted does not come back from the old generation', () => {
  const map = createTwoGenerationMap<number>(4)
  map.set('a', 1)
  map.set('b', 1)
  map.set('c', 1) // a and b are old now
  map.set('a', 2)
  map.delete('b')
  expect([map.get('a'), map.get('b'), map.size]).toEqual([2, undefined, 2])
  map.delete('a')
  expect(map.get('a')).toBeUndefined()
  map.clear()
  expect([map.get('c'), map.size]).toEqual([undefined, 0])
})
