import assert from 'node:assert/strict'
import { expect, test } from '@repo/testing'
import { Counter } from 'prom-client'
import { isEnvironmental } from './unhandled.ts'

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
const readOnly = Object.assign(new Error('cannot execute UPDATE'), { code: '25006' })

const environmental = {
  'of a socket': reset,
  'of PostgreSQL': readOnly,
  'with such a cause': new Error('the query failed', { cause: readOnly }),
  'that gathers such errors': new AggregateError([new Error('first'), reset]),
  'of Node.js about a value': thrownBy(() => Buffer.from(JSON.parse('0'))),
  'about malformed JSON': thrownBy(() => JSON.parse('{')),
  'about a malformed path': thrownBy(() => decodeURIComponent('%')),
  'that a dependency threw': thrownBy(() => new Counter({ name: 'a name', help: '' })),
}

const defects = {
  'that our code threw': new Error('out of nowhere'),
  'of a type': thrownBy(() => Reflect.get(JSON.parse('{}'), 'missing').name),
  'of an assertion': thrownBy(() => assert.equal(1, 2)),
  'that is no error': 'text',
}

test.for(Object.entries(environmental))(
  'an unhandled error %s does not end an instance',
  ([, error]) => {
    expect(isEnvironmental(error)).toBe(true)
  },
)

test.for(Object.entries(defects))('an unhandled error %s is a defect', ([, error]) => {
  expect(isEnvironmental(error)).toBe(false)
})
