import { judgeKeyed, type KeyedCall } from '@repo/testing/keyed'
import { expect, test } from 'vitest'
import type { UnderLoad } from '../load/under-load.ts'
import { paymentFaults } from './verdicts.ts'

const call = (key: string, bodies: string[], unanswered = 0): KeyedCall => ({
  key,
  responses: bodies.map((body) => ({ status: 201, body })),
  unanswered,
  attempts: 2,
  conflicts: 0,
  failures: [],
  longestMs: 1,
})

function underLoad(calls: KeyedCall[] | undefined, made: Partial<UnderLoad['made']>): UnderLoad {
  return {
    load: {
      run: 'run',
      sent: 4,
      failed: [],
      paid: [],
      keyed: calls && judgeKeyed(calls),
      servedBy: new Map(),
      latencyMs: { p50: 1, p95: 1, p99: 1, max: 1 },
    },
    made: { rows: 2, doubled: [], lost: [], unanswered: [], ...made },
  }
}

const good = [call('a', ['1', '1']), call('b', ['2'])]

test('payments with one row and one response for each key have no fault', () => {
  expect(paymentFaults(underLoad(good, {}))).toBe(0)
})

const faults: [name: string, calls: KeyedCall[], made: Partial<UnderLoad['made']>][] = [
  ['a payment that was made twice', good, { doubled: ['a'] }],
  ['a confirmed payment that is missing', good, { lost: ['a'] }],
  ['a row without a key', good, { rows: 3 }],
  ['a key without a row', good, { rows: 1 }],
  ['different responses of a key', [call('a', ['1', '3']), call('b', ['2'])], {}],
  ['a client without a response', [call('a', ['1'], 1), call('b', ['2'])], {}],
]

test.for(faults)('in the verdict of a drill, %s is a fault', ([, calls, made]) => {
  expect(paymentFaults(underLoad(calls, made))).toBe(1)
})

test('without keys the rows and the responses are not compared', () => {
  expect(paymentFaults(underLoad(undefined, { rows: 5 }))).toBe(0)
  expect(paymentFaults(underLoad(undefined, { doubled: ['a'] }))).toBe(1)
})
