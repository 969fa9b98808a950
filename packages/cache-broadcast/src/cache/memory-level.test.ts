import { expect, test } from '@repo/testing'
import { createMemoryLevel, type Entry } from './memory-level.ts'

function entry(
  value: string,
  { version = 1, bytes = 100, tags = [] as string[] } = {},
): Entry<string> {
  return {
    value,
    promise: undefined,
    version,
    bytes,
    tags,
    isUsed: false,
    freshUntilMs: 1,
    staleUntilMs: 1,
    endsAtMs: 1,
  }
}

test('I10: entries, bytes and tags stay within their limits, and an entry that is read often stays', () => {
  const memory = createMemoryLevel<string>({ maxEntries: 50, maxBytes: 2_000 })
  memory.put('read often', entry('read often', { tags: ['kept'] }))
  for (let i = 0; i < 1_000; i += 1) {
    memory.put(`k${i}`, entry(`k${i}`, { tags: [`t${i}`] }))
    memory.entries.get('read often')!.isUsed = true
    expect(memory.totals.bytes).toBeLessThanOrEqual(2_000)
  }
  expect(memory.entries.size).toBe(20)
  expect(memory.entries.has('read often')).toBe(true)
  expect(memory.olderThan(9, { tags: ['t0'] }).size).toBe(0)
  expect(memory.olderThan(9, { tags: ['kept', 't999'] }).size).toBe(2)
})

test('an older value does not replace a newer one, and an invalidation does not drop a newer value', () => {
  const memory = createMemoryLevel<string>({ maxEntries: 10, maxBytes: 10_000 })
  memory.put('k', entry('k', { version: 5 }))
  memory.put('k', entry('k', { version: 4 }))
  expect(memory.entries.get('k')?.version).toBe(5)
  memory.drop('k', 5)
  expect(memory.entries.has('k')).toBe(true)
  memory.drop('k', 6)
  expect(memory.entries.has('k')).toBe(false)
  expect(memory.totals.bytes).toBe(0)
})

test('`clear` removes all older entries without visiting them', () => {
  const memory = createMemoryLevel<string>({ maxEntries: 1_000, maxBytes: 1_000_000 })
  for (let i = 0; i < 1_000; i += 1)
    memory.put(`k${i}`, entry(`k${i}`, { version: 5, tags: ['t'] }))
  memory.clear(5)
  expect(memory.entries.size).toBe(1_000)
  const before = memory.entries
  memory.clear(6)
  expect(memory.entries.size).toBe(0)
  expect(memory.totals.bytes).toBe(0)
  expect(memory.olderThan(9, { tags: ['t'] }).size).toBe(0)
  // The table is replaced: its entries are not visited.
  expect(before.size).toBe(1_000)
  memory.put('k', entry('k', { version: 7 }))
  memory.clear(6)
  expect([...memory.entries.keys()]).toEqual(['k'])
})

test('I10: the limit of entries also holds after `clear`', () => {
  const memory = createMemoryLevel<string>({ maxEntries: 10, maxBytes: 1_000_000 })
  for (let round = 0; round < 5; round += 1) {
    for (let i = 0; i < 25; i += 1) memory.put(`k${i}`, entry(`k${i}`, { version: round }))
    expect(memory.entries.size).toBe(10)
    memory.clear(round + 1)
  }
  expect(memory.totals).toEqual({ bytes: 0, evicted: 75 })
})
