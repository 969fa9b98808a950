import { expect, test } from 'vitest'
import { type Answer, noAnswer } from './answer.ts'
import { untilDecided } from './in-flight.ts'

const inFlight: Answer<string> = {
  outcome: 'invalid',
  message: 'An earlier attempt is in progress.',
  errors: [],
  code: 'idempotency-in-flight',
  retryAfterSeconds: 1,
  servedBy: [],
}
const made: Answer<string> = {
  outcome: 'ok',
  value: 'made',
  servedBy: [],
  setCookie: [],
  settled: null,
  isReplay: true,
}

function answering(answers: Answer<string>[]) {
  let calls = 0
  const send = async () => {
    calls += 1
    return answers[Math.min(calls, answers.length) - 1]!
  }
  return { send, calls: () => calls }
}

test('a request is sent again while an earlier attempt is in progress, and returns the answer of that attempt', async () => {
  const { send, calls } = answering([inFlight, inFlight, made])
  expect(await untilDecided(send, 1)).toBe(made)
  expect(calls()).toBe(3)
})

test('a request whose earlier attempt stays in progress returns that after eleven attempts', async () => {
  const { send, calls } = answering([inFlight])
  expect(await untilDecided(send, 1)).toBe(inFlight)
  expect(calls()).toBe(11)
})

test.each([
  ['of an outage', noAnswer],
  ['of another refusal', { ...inFlight, code: 'idempotency-key-reused' }],
  ['of a success', made],
])('an answer %s is returned at once', async (_, answer) => {
  const { send, calls } = answering([answer])
  expect(await untilDecided(send, 1)).toBe(answer)
  expect(calls()).toBe(1)
})
