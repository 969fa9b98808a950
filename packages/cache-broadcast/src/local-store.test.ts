import { expect, test } from '@repo/testing'
import { createLocalStore, type Entry } from './local-store.ts'

function entry(
  key: string,
  { version = 1, bytes = 100, tags = [] as string[] } = {},
): Entry<string> {
  return {
    ...{ key, value: key, promise: undefined, version, bytes, tags, used: false },
    ...{ freshUntilMs: 1, staleUntilMs: 1, endsAtMs: 1, refreshAtMs: 0 },
  }
}

test('I10: entries, bytes and tags stay within their bounds, and what is read stays longest', () => {
  const store = createLocalStore<string>({ maxEntries: 50, maxBytes: 2_000 })
  store.put(entry('read often', { tags: ['kept'] }))
  for (let i = 0; i < 1_000; i += 1) {
    store.put(entry(`k${i}`, { tags: [`t${i}`] }))
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
  store.put(entry('k', { version: 5 }))
  store.put(entry('k', { version: 4 }))
  expect(store.entries.get('k')?.version).toBe(5)
  store.drop('k', 5)
  expect(store.entries.has('k')).toBe(true)
  store.drop('k', 6)
  expect(store.entries.has('k')).toBe(false)
  expect(store.totals.bytes).toBe(0)
})
