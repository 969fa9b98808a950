import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createRenewedLeases, failuresByTask } from './index.ts'

const LEASE_MS = 300

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Leases whose renewals are recorded. */
function openLeases(renewing: () => unknown = () => undefined) {
  const renewals: [ms: number, ...leases: string[]][] = []
  const leases = createRenewedLeases<string>({
    task: 'test.renew',
    renew(held, leaseMs) {
      renewals.push([leaseMs, ...held])
      return renewing()
    },
  })
  return { leases, renewals }
}

test('a held lease is renewed after each third of its time, and not after its release', async () => {
  const { leases, renewals } = openLeases()
  const release = leases.hold('a', LEASE_MS)
  await vi.advanceTimersByTimeAsync(LEASE_MS)
  expect(renewals).toEqual(Array.from({ length: 3 }, () => [LEASE_MS, 'a']))
  release()
  await vi.advanceTimersByTimeAsync(10 * LEASE_MS)
  expect(renewals).toHaveLength(3)
  expect(vi.getTimerCount()).toBe(0)
})

test('a lease that is released within a third of its time costs no renewal', async () => {
  const { leases, renewals } = openLeases()
  for (let i = 0; i < 1_000; i += 1) leases.hold(`${i}`, LEASE_MS)()
  expect(vi.getTimerCount()).toBe(1)
  await vi.advanceTimersByTimeAsync(LEASE_MS)
  expect(renewals).toEqual([])
})

test('leases of the same time are one turn, and leases of another time have their own', async () => {
  const { leases, renewals } = openLeases()
  leases.hold('a', 300)
  leases.hold('b', 300)
  leases.hold('c', 600)
  await vi.advanceTimersByTimeAsync(250)
  expect(renewals).toEqual([
    [300, 'a', 'b'],
    [600, 'c'],
    [300, 'a', 'b'],
  ])
})

test('a renewal that fails is counted, and the next turn renews the lease in time', async () => {
  let turns = 0
  const { leases, renewals } = openLeases(() => {
    turns += 1
    if (turns === 1) throw new Error('unavailable')
  })
  const before = failuresByTask().get('test.renew') ?? 0
  leases.hold('a', LEASE_MS)
  await vi.advanceTimersByTimeAsync((LEASE_MS * 2) / 3)
  expect(renewals).toHaveLength(2)
  expect(failuresByTask().get('test.renew')).toBe(before + 1)
})

test('turns do not overlap while a renewal is slow', async () => {
  const gate = Promise.withResolvers<void>()
  const { leases, renewals } = openLeases(() => gate.promise)
  leases.hold('a', LEASE_MS)
  await vi.advanceTimersByTimeAsync(LEASE_MS)
  expect(renewals).toHaveLength(1)
  gate.resolve()
  await vi.advanceTimersByTimeAsync(LEASE_MS / 3)
  expect(renewals).toHaveLength(2)
})

test('a close returns the held leases and stops their renewal', async () => {
  const { leases, renewals } = openLeases()
  leases.hold('a', 300)
  leases.hold('b', 600)
  leases.hold('c', 600)()
  expect(leases.close()).toEqual(['a', 'b'])
  await vi.advanceTimersByTimeAsync(10 * LEASE_MS)
  expect(renewals).toEqual([])
})
