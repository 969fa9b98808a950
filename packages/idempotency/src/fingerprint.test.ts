import { createHash } from 'node:crypto'
import { expect, test } from '@repo/testing'
import { claimIdOf, downstreamKeyOf, fingerprintOf } from './fingerprint.ts'

test('a fingerprint is the SHA-256 of its parts with their lengths, also for a large body', () => {
  for (const length of [0, 1, 65_536, 65_537]) {
    const body = Buffer.alloc(length, 'a')
    const text = `4:POST7:/orders${body.toString()}`
    expect(fingerprintOf({ method: 'POST', target: '/orders', body })).toBe(
      createHash('sha256').update(text).digest('base64url'),
    )
  }
})

test('two requests whose parts join to the same text have different fingerprints', () => {
  const parts = [
    ['POST', '/orders', '1'],
    ['POST', '/orders1', ''],
    ['POST/', 'orders', '1'],
    ['POST', '/order', 's1'],
    ['POST7:', '/orders', '1'],
  ]
  const all = parts.map(([method = '', target = '', body = '']) =>
    fingerprintOf({ method, target, body: Buffer.from(body) }),
  )
  expect(new Set(all).size).toBe(parts.length)
})

test('I5: two scopes, or two keys, never have the same claim', () => {
  const pairs = [
    ['ada', 'k'],
    ['adak', 'x'],
    ['ad', 'ak'],
    ['ada1:', 'k'],
    ['ada', '1:k'],
    ['3:ada', 'k'],
  ]
  const ids = pairs.map(([scope = '', key = '']) => claimIdOf(scope, key))
  const steps = pairs.map(([scope = '', key = '']) => downstreamKeyOf(scope, key, 'step'))
  expect(new Set([...ids, ...steps]).size).toBe(2 * pairs.length)
})

test('I5: an empty scope is refused', () => {
  expect(() => claimIdOf('', 'k')).toThrow(expect.objectContaining({ code: 'no-scope' }))
})
