import { expect, test } from '@repo/testing'
import { digestOf, findDrift, fingerprintOf } from './fingerprint.ts'

function instance(id: string, settings: Record<string, string>, started = id) {
  return { id, startedAt: started, fingerprint: fingerprintOf(settings, 'key') }
}

const values = {
  AUTH_SECRET: 'correct horse battery staple',
  ORIGIN: 'http://a',
  COPY: 'http://a',
}

test('two fingerprints of equal values with one key are equal', () => {
  expect(fingerprintOf(values, 'key')).toEqual(fingerprintOf({ ...values }, 'key'))
})

test('a fingerprint contains no value, and reveals none without the key', () => {
  const text = JSON.stringify(fingerprintOf(values, 'key'))
  for (const value of Object.values(values)) expect(text).not.toContain(value)
  expect(fingerprintOf(values, 'another key')).not.toEqual(fingerprintOf(values, 'key'))
})

test('a fingerprint does not reveal that two settings have the same value', () => {
  const { ORIGIN, COPY } = fingerprintOf(values, 'key')
  expect(ORIGIN).not.toBe(COPY)
})

test('the digest of a fingerprint is one word and does not depend on the order of settings', () => {
  expect(digestOf({ A: '1', B: '2' })).toBe(digestOf({ B: '2', A: '1' }))
  expect(digestOf({ A: '1', B: '2' })).not.toBe(digestOf({ A: '2', B: '1' }))
  expect(digestOf({})).toMatch(/^[0-9a-f]{8}$/)
})

test('findDrift returns no setting for equal instances and for an empty cluster', () => {
  expect(findDrift([]).size).toBe(0)
  const drift = findDrift([instance('a-1', { S: '1' }), instance('a-2', { S: '1' })])
  expect([...drift]).toEqual([
    ['a-1', []],
    ['a-2', []],
  ])
})

test('the minority drifts, also when it started first', () => {
  const drift = findDrift([
    instance('a-1', { S: 'old', T: '1' }),
    instance('a-2', { S: 'new', T: '1' }),
    instance('a-3', { S: 'new', T: '1' }),
  ])
  expect(drift.get('a-1')).toEqual(['S'])
  expect(drift.get('a-2')).toEqual([])
  expect(drift.get('a-3')).toEqual([])
})

test('the value of the oldest instance is right when two values are equally common', () => {
  const young = instance('a-1', { S: 'young' }, '2026-11-24T12:00:01.000Z')
  const old = instance('a-2', { S: 'old' }, '2026-11-24T12:00:00.000Z')
  for (const order of [
    [young, old],
    [old, young],
  ]) {
    const drift = findDrift(order)
    expect(drift.get('a-1')).toEqual(['S'])
    expect(drift.get('a-2')).toEqual([])
  }
})

test('instances with one start time find the same drift for each order of records', () => {
  const [one, two] = [instance('a-1', { S: '1' }, 'now'), instance('a-2', { S: '2' }, 'now')]
  expect(findDrift([one, two]).get('a-2')).toEqual(['S'])
  expect(findDrift([two, one]).get('a-2')).toEqual(['S'])
})

test('findDrift compares a setting across apps, and ignores apps that do not have it', () => {
  const drift = findDrift([
    instance('auth-1', { AUTH_SECRET: 'x' }),
    instance('auth-2', { AUTH_SECRET: 'x' }),
    instance('gateway-1', { AUTH_SECRET: 'y', INTERNAL_SECRET: 'z' }),
    instance('payments-1', { INTERNAL_SECRET: 'z' }),
  ])
  expect(drift.get('gateway-1')).toEqual(['AUTH_SECRET'])
  expect(drift.get('payments-1')).toEqual([])
})
