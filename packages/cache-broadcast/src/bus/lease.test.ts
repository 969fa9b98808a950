import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from '@repo/testing'
import { createBeat, createClock } from './lease.ts'

test('the clock is read once for 64 calls of a turn, and again in the next turn', async () => {
  let reads = 0
  const clock = createClock(() => (reads += 1))
  for (let i = 0; i < 64; i += 1) {
    expect(clock.turn()).toBe(1)
    await Promise.resolve()
  }
  await turn()
  expect(clock.turn()).toBe(2)
  for (let i = 0; i < 200; i += 1) clock.turn()
  expect(reads).toBeGreaterThanOrEqual(4)
})

test('the lease is prolonged four times in its duration while memory is read, and twice at rest', () => {
  const clock = createClock()
  const beat = createBeat(1_000, clock)
  expect(beat()).toBe(500)
  clock.turn()
  expect(beat()).toBe(250)
  clock.exact()
  expect(beat()).toBe(500)
  expect(createBeat(100, clock)()).toBe(25)
  expect(createBeat(100, createClock())()).toBe(50)
})
