import { expect, test, vi } from '@repo/testing'
import { CallTimes } from './call-times.ts'

test('a call does not read the clock until a recorder is attached, and one that began before has no time', () => {
  const clock = vi.spyOn(performance, 'now')
  const times = new CallTimes()
  const early = times.begin()
  times.end(early)
  expect(clock).not.toHaveBeenCalled()

  const recorded: number[] = []
  times.recordTo((seconds) => recorded.push(seconds))
  times.end(early)
  expect(recorded).toEqual([])
  times.end(times.begin())
  expect(recorded).toHaveLength(1)
  clock.mockRestore()
})
