import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { awakeMs } from './awake-ms.ts'
import { blockEventLoop } from './block-event-loop.ts'

test('a wait counts, and never for more than it took', async () => {
  const [startedMs, startedAwakeMs] = [performance.now(), awakeMs()]
  // More than the pauses of a busy machine, which do not count.
  while (awakeMs() - startedAwakeMs < 200) await wait(1)
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(199)
})

test('a pause of 500 ms counts as at most 50 ms', () => {
  const before = awakeMs()
  blockEventLoop(500)
  expect(awakeMs() - before).toBeLessThanOrEqual(50)
})

test('the awake time never goes back', async () => {
  let before = awakeMs()
  for (let i = 0; i < 200; i += 1) {
    if (i % 3 === 0) await wait(1)
    const after = awakeMs()
    expect(after).toBeGreaterThanOrEqual(before)
    before = after
  }
})
