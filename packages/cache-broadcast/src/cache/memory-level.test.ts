import { expect, test } from '@repo/testing'
import { createLocalStore, type Entry } from './memory-level.ts'

function entry(
  value: string,
  { version = 1, bytes = 100, tags = [] as string[] } = {},
): Entry<string> {
  return {
    ...{ value, promise: undefined, version, bytes, tags, used: false },
    ...{ freshUntilMs: 1, staleUntilMs: 1, endsAtMs: 1 },
  }
}

test('I10: entries, bytes and tags stay within their bounds, and what is read stays longest', () => {
  const store = createLocalStore<string>({ maxEntries: 50, maxBytes: 2_000 })
  store.put('read often', entry('read often', { tags: ['kept'] }))
  for (let i = 0; i < 1_000; i += 1) {
    store.put(`k${i}`, entry(`k${i}`, { tags: [`t${i}`] }))
    store.entries.get('read often')!.used = true
    expect(store.totals.bytes).toBeLessThanOrEqual(2_000)
  }
  expect(store.entries.size).toBe(20)
  expect(store.entries.has('read often')).toBe(true)
  expect(store.olderThan(9, { tags: ['t0'] }).size).toBe(0)
  expect(store.olderThan(9, { tags: ['kept', 't999'] }).size).toBe(2)
})

test('an older value never replaces a newer one, and news does not touch what is newer', () => {
  const store = createLocalStore<string>({ maxEntries: 10, maxBytes: 10_000 })
  store.put('k', entry('k', { version: 5 }))
  store.put('k', entry('k', { version: 4 }))
  expect(store.entries.get('k')?.version).toBe(5)
  store.drop('k', 5)
  expect(store.entries.has('k')).toBe(true)
  store.drop('k', 6)
  expect(store.entries.has('k')).toBe(false)
  expect(store.totals.bytes).toBe(0)
})

test('`clear` forgets whatever is older, in the time that one entry takes', () => {
  const store = createLocalStore<string>({ maxEntries: 1_000, maxBytes: 1_000_000 })
  for (let i = 0; i < 1_000; i += 1) store.put(`k${i}`, entry(`k${i}`, { version: 5, tags: ['t'] }))
  store.clear(5)
  expect(store.entries.size).toBe(1_000)
  const before = store.entries
  store.clear(6)
  expect(store.entries.size).toBe(0)
  expect(store.totals.bytes).toBe(0)
  expect(store.olderThan(9, { tags: ['t'] }).size).toBe(0)
  // The table is replaced: its entries are not visited.
  expect(before.size).toBe(1_000)
  store.put('k', entry('k', { version: 7 }))
  store.clear(6)
  expect([...store.entries.keys()]).toEqual(['k'])
})

test('I10: after `clear` no more entries are kept than before it', () => {
  const store = createLocalStore<string>({ maxEntries: 10, maxBytes: 1_000_000 })
  for (let round = 0; round < 5; round += 1) {
    for (let i = 0; i < 25; i += 1) store.put(`k${i}`, entry(`k${i}`, { version: round }))
    expect(store.entries.size).toBe(10)
    store.clear(round + 1)
  }
  expect(store.totals).toEqual({ bytes: 0, evicted: 75 })
})
