import { setImmediate as turn } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { createAcks, type Position } from './acks.ts'
import { toOrigin } from './member.ts'

const member = 'a~2-1'
const ownOrigin = toOrigin(member, 1)
const otherOrigin = toOrigin('b~2-1', 1)

function createMember({ registrationMs = 1_000 } = {}) {
  const state = { last: 10 }
  const self: [origin: string, isApplied: boolean][] = []
  const answers: string[] = []
  const positions: Position[] = []
  const acks = createAcks({
    member,
    keys: { answers: (sender) => `answers of ${sender}` },
    registrationMs,
    last: () => state.last,
    answer: async (channel) => answers.push(channel) > 0,
    answerSelf: (origin, isApplied) => void self.push([origin, isApplied]),
    tally: (position) => void positions.push(position),
  })
  return { acks, state, self, answers, positions }
}

test('a sender receives its own acknowledgement without a round trip, whether it has handlers or not', async () => {
  const { acks, state, self, positions } = createMember()
  acks.applied(10, ownOrigin)
  expect(self).toEqual([[ownOrigin, true]])
  // Handlers that end at once.
  state.last = 11
  acks.started(11, ownOrigin)
  acks.ended(11, ownOrigin, true)
  expect(self).toHaveLength(2)
  // Handlers that end after the position was noted.
  state.last = 12
  acks.started(12, ownOrigin)
  await turn()
  expect(positions).toEqual([{ n: 12, behind: '11', wasBehind: false }])
  expect(self).toHaveLength(2)
  acks.ended(12, ownOrigin, true)
  expect(self).toHaveLength(3)
  acks.started(13, ownOrigin)
  acks.ended(13, ownOrigin, false)
  expect(self.at(-1)).toEqual([ownOrigin, false])
})

test('an entry of another sender whose handlers end at once is covered by the next position, and one that ends later is answered', async () => {
  const { acks, self, answers, positions } = createMember()
  acks.started(10, otherOrigin)
  acks.ended(10, otherOrigin, true)
  await turn()
  expect([positions, answers]).toEqual([[{ n: 10, behind: '', wasBehind: false }], []])
  acks.started(10, otherOrigin)
  await turn()
  acks.ended(10, otherOrigin, true)
  expect([self, answers]).toEqual([[], ['answers of b~2-1']])
})

test('after a second gap, a member answers separately for as long as after the first', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    const { acks, state } = createMember({ registrationMs: 1_000 })
    acks.takePosition()
    acks.missed()
    vi.advanceTimersByTime(900)
    state.last = 100
    acks.takePosition()
    acks.missed()
    vi.advanceTimersByTime(900)
    expect(acks.takePosition().behind).toBe('10')
    vi.advanceTimersByTime(100)
    expect(acks.takePosition().behind).toBe('')
  } finally {
    vi.useRealTimers()
  }
})
