import { expect, test } from '@repo/testing'
import { describeConformance } from '../conformance/conformance.ts'
import { newClaim } from '../conformance/open.ts'
import { memoryStore } from './memory-store.ts'

describeConformance('memory', async () => ({ store: memoryStore() }), {
  claims: 'leases',
  isShared: false,
  canForget: false,
  hasTransactions: false,
})

test('a store in memory is refused for an app with several instances', () => {
  expect(() => memoryStore({ replicas: 2 })).toThrow(
    expect.objectContaining({ code: 'single-instance' }),
  )
})

test('a full store in memory refuses a further key, and accepts it when a record has expired', async () => {
  let nowMs = 0
  const store = memoryStore({ maxKeys: 2, now: () => nowMs })
  const claims = [newClaim(), newClaim(), newClaim()] as const
  await store.begin(claims[0], 1_000)
  await store.begin(claims[1], 1_000)
  await store.complete(claims[1], Buffer.from('a'), 1_000)
  await expect(store.begin(claims[2], 1_000)).rejects.toMatchObject({ code: 'unavailable' })
  nowMs = 1_000
  expect(await store.begin(claims[2], 1_000)).toEqual({ outcome: 'claimed', attempt: 1 })
  // The claim without a record is still pending for its next attempt.
  expect(await store.begin(claims[0], 1_000)).toEqual({ outcome: 'claimed', attempt: 1 })
})

test('a sweep removes at most the number of expired records that it is given', async () => {
  let nowMs = 0
  const store = memoryStore({ now: () => nowMs })
  for (let i = 0; i < 5; i += 1) await store.complete(newClaim(), Buffer.from('a'), 10)
  expect(await store.sweep?.(10)).toBe(0)
  nowMs = 10
  expect(await store.sweep?.(3)).toBe(3)
  expect(await store.sweep?.(3)).toBe(2)
})
