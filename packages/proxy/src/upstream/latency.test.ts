import { expect, test } from 'vitest'
import { Latency } from './latency.ts'

const RESPONSES = 50

/** The latency of a target that has responded within 4 ms so far. */
function fastTarget(): Latency {
  const latency = new Latency(() => 0)
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

test('an error counts as at least 250 ms, so that a target that fails fast does not look fast', () => {
  const latency = fastTarget()
  latency.record(1, true, RESPONSES)
  expect(latency.at(RESPONSES)).toBeGreaterThan(50)
})

test('one error moves the latency of a target by at most 50 ms, however late it is', () => {
  const latency = fastTarget()
  latency.record(5_000, true, RESPONSES)
  expect(latency.at(RESPONSES)).toBeLessThanOrEqual(4 + 50)
})

test('twenty responses after one pause of 2 s move the latency to at most 500 ms', () => {
  const latency = fastTarget()
  for (let i = 0; i < 20; i += 1) latency.record(2_000, false, RESPONSES)
  expect(latency.at(RESPONSES)).toBeGreaterThan(200)
  expect(latency.at(RESPONSES)).toBeLessThanOrEqual(500)
})
