import { expect, test } from 'vitest'
import { createLoadShedder } from './load-shedder.ts'

/**
 * A shedder with a clock that a test moves: `turn` is one turn of the event loop, then its timers.
 * @param cpuShare the share of the time in which the thread has the processor
 */
function startShedder({ cpuShare = 1 } = {}) {
  const state = { nowMs: 0, tick: undefined as (() => void) | undefined }
  const shedder = createLoadShedder({
    limitMs: 200,
    now: () => state.nowMs,
    cpuMs: () => state.nowMs * cpuShare,
    every(_ms, tick) {
      state.tick = tick
      return () => (state.tick = undefined)
    },
  })
  return {
    shedder,
    hasTimer: () => state.tick !== undefined,
    /** Handles requests for `ms`, one in each 10 ms, and returns the number of refused ones. */
    turn: (ms: number): number => {
      const before = shedder.refused()
      for (let passedMs = 0; passedMs < ms; passedMs += 10) {
        shedder.isOverloaded()
        state.nowMs += 10
      }
      state.tick?.()
      return shedder.refused() - before
    },
    rest: (ms: number) => {
      state.nowMs += ms
      state.tick?.()
    },
  }
}

test('no request is refused while the turns of the event loop are short', () => {
  const { turn } = startShedder()
  for (let i = 0; i < 100; i += 1) expect(turn(100)).toBe(0)
})

test('one turn that is late refuses no request, and the next late one refuses those after the limit', () => {
  const { turn } = startShedder()
  expect(turn(1_000)).toBe(0)
  // 22 requests in 220 ms are served, and the other 78 of the second turn are refused.
  expect(turn(1_000)).toBe(78)
  expect(turn(100)).toBe(0)
  expect(turn(1_000)).toBe(0)
})

test('turns that are late because other processes have the processor refuse requests only after three times the limit', () => {
  const { turn } = startShedder({ cpuShare: 0.1 })
  for (let i = 0; i < 10; i += 1) expect(turn(600)).toBe(0)
  expect(turn(1_000)).toBe(38)
})

test('without requests the shedder has no timer', () => {
  const { turn, rest, hasTimer } = startShedder()
  expect(hasTimer()).toBe(false)
  turn(20)
  expect(hasTimer()).toBe(true)
  rest(2_000)
  expect(hasTimer()).toBe(false)
  expect(turn(20)).toBe(0)
})
