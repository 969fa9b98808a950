import { expect, test } from 'vitest'
import { createBacklogShedder } from './backlog-shedder.ts'

/** A shedder with 64 requests as its limit, whose clock and number of requests a test changes. */
function startShedder() {
  const state = { nowMs: 0, unanswered: 0, tick: undefined as (() => void) | undefined }
  const shedder = createBacklogShedder({
    unanswered: () => state.unanswered,
    most: 64,
    lateMs: 5,
    now: () => state.nowMs,
    every(_ms, tick) {
      state.tick = tick
      return () => (state.tick = undefined)
    },
  })
  return {
    state,
    shedder,
    /** Passes samples of 20 ms that the event loop takes this much later, with a request in each. */
    pass: (samples: number, lateMs: number) => {
      for (let i = 0; i < samples; i += 1) {
        shedder.isOverloaded()
        state.nowMs += 20 + lateMs
        state.tick?.()
      }
    },
  }
}

test('while the event loop is late, requests over the limit are refused and those below it are served', () => {
  const { state, shedder, pass } = startShedder()
  state.unanswered = 64
  pass(20, 10)
  expect(shedder.isOverloaded()).toBe(true)
  state.unanswered = 63
  expect(shedder.isOverloaded()).toBe(false)
  // Overload continues, so the next one waits for no interval.
  state.unanswered = 64
  expect(shedder.isOverloaded()).toBe(true)
})

test('a burst that ends within 200 ms is served, and one that stands longer is refused', () => {
  const { state, shedder, pass } = startShedder()
  pass(20, 10)
  for (let burst = 0; burst < 10; burst += 1) {
    state.unanswered = 500
    pass(6, 10)
    state.unanswered = 0
    pass(1, 10)
  }
  expect(shedder.refused()).toBe(0)
  state.unanswered = 500
  pass(9, 10)
  expect(shedder.refused()).toBeGreaterThan(0)
})

test('after a second without a refusal, a burst is served again', () => {
  const { state, shedder, pass } = startShedder()
  state.unanswered = 64
  pass(20, 10)
  const before = shedder.refused()
  state.unanswered = 0
  pass(40, 10)
  state.unanswered = 64
  pass(6, 10)
  expect(before).toBeGreaterThan(0)
  expect(shedder.refused()).toBe(before)
})

test('while the event loop is on time, no number of requests that wait for slow instances is refused', () => {
  const { state, shedder, pass } = startShedder()
  state.unanswered = 10_000
  pass(100, 1)
  expect(shedder.isOverloaded()).toBe(false)
  expect(shedder.refused()).toBe(0)
})

test('one late sample refuses nothing, and a long turn refuses before its next sample', () => {
  const { state, shedder, pass } = startShedder()
  state.unanswered = 64
  pass(20, 0)
  pass(1, 15)
  expect(shedder.isOverloaded()).toBe(false)
  state.nowMs += 40
  expect(shedder.isOverloaded()).toBe(true)
})

test('requests are served again when the event loop is on time again', () => {
  const { state, shedder, pass } = startShedder()
  state.unanswered = 64
  pass(20, 10)
  expect(shedder.isOverloaded()).toBe(true)
  pass(10, 0)
  expect(shedder.isOverloaded()).toBe(false)
})

test('a shedder without requests for a second has no timer', () => {
  const { state, shedder, pass } = startShedder()
  expect(state.tick).toBeUndefined()
  pass(1, 0)
  expect(state.tick).toBeDefined()
  state.nowMs += 1_000
  state.tick?.()
  expect(state.tick).toBeUndefined()
  expect(shedder.isOverloaded()).toBe(false)
})
