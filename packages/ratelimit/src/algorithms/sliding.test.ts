import { expect, test } from '@repo/testing'
import { openOnRedis } from '../open.fixture.ts'

const WINDOW_MS = 1_600
const PART_MS = WINDOW_MS / 16
/** A life that no take gives: a take that leaves it did not renew the life. */
const MARK_MS = 1e12

test('the key of a sliding window lives until its newest unit has left, at every rate of hits', async ({
  redisUrl,
}) => {
  // Whole sub-windows, as the clock of the test begins with one.
  const startMs = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS
  const policies = [{ name: 'p', quota: 1_000, windowMs: WINDOW_MS, by: 'a' }]
  const { limiter, direct, advance } = await openOnRedis(redisUrl, policies, { startMs })
  let nowMs = startMs
  let endsAtMs = 0
  for (let i = 0; i < 300; i += 1) {
    // Hits of an even pace for a while, then of another one; the fixture makes lives 1000 times as long.
    const stepMs = [30, 70, 100, 110, 250, 390, 800][Math.floor(i / 12) % 7] ?? 0
    nowMs += stepMs
    await advance(stepMs)
    expect((await limiter.take(['p'], { a: 'x' })).outcome).toBe('allowed')
    const [name = ''] = await direct.keys('*:p~*:x')
    const lifeMs = await direct.pttl(name)
    if (lifeMs < MARK_MS / 2) endsAtMs = nowMs + lifeMs / 1_000
    await direct.pexpire(name, MARK_MS)
    const newestLeavesAtMs = (Math.floor(nowMs / PART_MS) + 1) * PART_MS + WINDOW_MS
    // The clock of the server runs during the test: a few ms, divided by 1000.
    expect(endsAtMs).toBeGreaterThan(newestLeavesAtMs - 1)
    expect(endsAtMs).toBeLessThanOrEqual(nowMs + 21 * PART_MS + 2)
  }
  await limiter.close()
})
