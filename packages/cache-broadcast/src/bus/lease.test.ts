import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from '@repo/testing'
import { createClock } from './lease.ts'

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
