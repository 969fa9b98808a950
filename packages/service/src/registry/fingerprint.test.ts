import { describe, expect, test } from '@repo/testing'
import { digestOf, findDrift, fingerprintOf } from './fingerprint.ts'

function instance(id: string, settings: Record<string, string>, started = id) {
  return { id, startedAt: started, fingerprint: fingerprintOf(settings, 'key') }
}

describe('fingerprintOf', () => {
  const values = {
    AUTH_SECRET: 'correct horse battery staple',
    ORIGIN: 'http://a',
    COPY: 'http://a',
  }

  test('is the same for the same values under the same key', () => {
    expect(fingerprintOf(values, 'key')).toEqual(fingerprintOf({ ...values }, 'key'))
  })

  test('holds no value, and without the key says nothing of one', () => {
    const text = JSON.stringify(fingerprintOf(values, 'key'))
    for (const value of Object.values(values)) expect(text).not.toContain(value)
    expect(fingerprintOf(values, 'another key')).not.toEqual(fingerprintOf(values, 'key'))
  })

  test('does not show that two settings have the same value', () => {
    const { ORIGIN, COPY } = fingerprintOf(values, 'key')
    expect(ORIGIN).not.toBe(COPY)
  })
})

describe('digestOf', () => {
  test('is one word for a fingerprint, whatever the order of its settings', () => {
    expect(digestOf({ A: '1', B: '2' })).toBe(digestOf({ B: '2', A: '1' }))
    expect(digestOf({ A: '1', B: '2' })).not.toBe(digestOf({ A: '2', B: '1' }))
    expect(digestOf({})).toMatch(/^[0-9a-f]{8}$/)
  })
})

describe('findDrift', () => {
  test('finds none where all agree, and none in a cluster of none', () => {
    expect(findDrift([]).size).toBe(0)
    const drift = findDrift([instance('a-1', { S: '1' }), instance('a-2', { S: '1' })])
    expect([...drift]).toEqual([
      ['a-1', []],
      ['a-2', []],
    ])
  })

  test('the minority drifts, also when it was there first', () => {
    const drift = findDrift([
      instance('a-1', { S: 'old', T: '1' }),
      instance('a-2', { S: 'new', T: '1' }),
      instance('a-3', { S: 'new', T: '1' }),
    ])
    expect(drift.get('a-1')).toEqual(['S'])
    expect(drift.get('a-2')).toEqual([])
    expect(drift.get('a-3')).toEqual([])
  })

  test('of two values that are as common, the one of the oldest instance is right', () => {
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

  test('instances that started at once see the same one drift, in whatever order they are read', () => {
    const [one, two] = [instance('a-1', { S: '1' }, 'now'), instance('a-2', { S: '2' }, 'now')]
    expect(findDrift([one, two]).get('a-2')).toEqual(['S'])
    expect(findDrift([two, one]).get('a-2')).toEqual(['S'])
  })

  test('compares a setting across apps, and nothing with apps that do not have it', () => {
    const drift = findDrift([
      instance('auth-1', { AUTH_SECRET: 'x' }),
      instance('auth-2', { AUTH_SECRET: 'x' }),
      instance('gateway-1', { AUTH_SECRET: 'y', INTERNAL_SECRET: 'z' }),
      instance('payments-1', { INTERNAL_SECRET: 'z' }),
    ])
    expect(drift.get('gateway-1')).toEqual(['AUTH_SECRET'])
    expect(drift.get('payments-1')).toEqual([])
  })
})
