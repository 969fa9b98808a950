import { expect, test, vi } from 'vitest'
import { base, ip, type Open, required } from './open.ts'

/** Blocks the event loop, like a garbage collection or a CPU limit. */
function blockEventLoop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** The tests of a process that pauses and of a store that refuses. */
export function describeConditions(open: Open, isShared: boolean): void {
  test('the store decides all takes in flight during a pause of the process that is longer than a deadline', async () => {
    const { limiter, deadlineMs = 0 } = await open({ ...base, name: 'p', quota: 100 })
    const takes = Array.from({ length: 20 }, () => limiter.take(['p'], { ip }))
    // Half of them are sent before the pause.
    await new Promise((resolve) => setImmediate(resolve))
    takes.push(...Array.from({ length: 20 }, () => limiter.take(['p'], { ip })))
    blockEventLoop(deadlineMs + 300)
    for (const { outcome, degraded } of await Promise.all(takes)) {
      expect([outcome, degraded]).toEqual(['allowed', false])
    }
    expect((await limiter.take(['p'], { ip })).limits).toMatchObject([{ remaining: 59 }])
    expect(limiter.stats()).toMatchObject({ degraded: 0, exact: true })
  })

  test.runIf(isShared)(
    'while a store refuses to count, onUnavailable of each policy decides and exact is false',
    async () => {
      const { limiter, refuse } = await open(
        { ...base, name: 'allow', quota: 1, onUnavailable: 'allow' },
        { ...base, name: 'deny', quota: 9, onUnavailable: 'deny' },
      )
      expect((await limiter.take(['deny'], { ip })).degraded).toBe(false)
      const accept = await required(refuse, 'refuse')()
      try {
        await limiter.take(['deny'], { ip })
        await vi.waitFor(() => expect(limiter.stats().exact).toBe(false), { timeout: 20_000 })
        for (let i = 0; i < 5; i += 1) {
          expect(await limiter.take(['allow'], { ip })).toMatchObject({
            outcome: 'allowed',
            degraded: true,
          })
          expect(await limiter.take(['deny'], { ip })).toMatchObject({
            outcome: 'unavailable',
            degraded: true,
            violated: ['deny'],
          })
        }
      } finally {
        await accept()
      }
      await vi.waitFor(() => expect(limiter.stats().exact).toBe(true), { timeout: 20_000 })
      expect(await limiter.take(['deny'], { ip })).toMatchObject({
        outcome: 'allowed',
        limits: [{ remaining: 7 }],
        degraded: false,
      })
    },
  )
}
