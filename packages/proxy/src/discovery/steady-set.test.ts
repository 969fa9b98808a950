import { expect, test } from 'vitest'
import { createSteadySet } from './steady-set.ts'

test('an origin is added at once, and removed after three lists without it', () => {
  const note = createSteadySet()
  expect(note(['a', 'b'])).toEqual(['a', 'b'])
  expect(note(['b', 'c'])).toEqual(['a', 'b', 'c'])
  expect(note(['b', 'c'])).toEqual(['a', 'b', 'c'])
  expect(note(['b', 'c'])).toEqual(['b', 'c'])
})

test('an origin that one list lacks is not removed, and an empty list counts for none', () => {
  const note = createSteadySet()
  note(['a', 'b'])
  note(['b'])
  note(['b'])
  expect(note(['a', 'b'])).toEqual(['a', 'b'])
  for (let i = 0; i < 10; i += 1) expect(note([])).toEqual(['a', 'b'])
  note(['b'])
  note(['b'])
  expect(note([])).toEqual(['a', 'b'])
})
