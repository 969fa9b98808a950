import { expect, test } from 'vitest'
import { Latency } from './latency.ts'

const RESPONSES = 50

/** The latency of a target that has responded within 4 ms so far. */
function fastTarget(): Latency {
  const latency = new Latency()
  for (let i = 0; i < RESPONSES; i += 1) latency.record(4, false, i)
  return latency
}

test('one slow response moves the latency of a target by at most 32 ms', () => {
  const latency = fastTarget()
  latency.record(5_000, false, RESPONSES)
  expect(latency.at(RESPONSES)).toBeLessThanOrEqual(4 + 32)
})

test('a second slow response in a row moves the latency by half of the way', () => {
  const latency = fastTarget()
  latency.record(200, false, RESPONSES)
  const once = latency.at(RESPONSES)
  latency.record(200, false, RESPONSES)
  expect(latency.at(RESPONSES)).toBeCloseTo(once + (160 - once) / 2)
  latency.record(4, false, RESPONSES)
  const afterFast = latency.at(RESPONSES)
  latency.record(200, false, RESPONSES)
  expect(latency.at(RESPONSES)).toBeLessThan(afterFast + 32)
})

test('a target that is 200 ms slower is tried again at most six times within a minute', () => {
  const latency = fastTarget()
  let tries = 0
  for (let nowMs = RESPONSES; nowMs < 60_000; nowMs += 5) {
    // Other targets respond within 4 ms, and latencies up to 25 ms are equal.
    if (latency.at(nowMs) > 25) continue
    latency.record(204, false, nowMs)
    tries += 1
  }
  expect(tries).toBeGreaterThan(1)
  expect(tries).toBeLessThanOrEqual(6)
})

test('an error counts as at least 250 ms, so that a target that fails fast does not look fast', () => {
  const latency = fastTarget()
  latency.record(1, true, RESPONSES)
  expect(latency.at(RESPONSES)).toBeGreaterThan(50)
})
