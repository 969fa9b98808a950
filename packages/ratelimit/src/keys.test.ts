import { expect, test } from '@repo/testing'
import { limiterKeys, shapeOf, withShape } from './keys.ts'
import { parsePolicies, type Policy, type PolicyInput } from './policy.ts'

function policyOf(input: Partial<PolicyInput>): Policy {
  const parsed = parsePolicies([{ name: 'p', quota: 100, windowMs: 60_000, by: 'ip', ...input }])
  if (parsed.outcome === 'invalid' || !parsed.policies[0]) throw new Error('invalid')
  return parsed.policies[0]
}

test('a shape names the algorithm and the time for which a unit counts', () => {
  expect(shapeOf(policyOf({}))).toBe('s60')
  expect(shapeOf(policyOf({ lease: { units: 2, ms: 50 } }))).toBe('s60050ms')
  expect(shapeOf(policyOf({ algorithm: 'fixed', windowMs: 1_500 }))).toBe('f1500ms')
  expect(shapeOf(policyOf({ algorithm: 'concurrency' }))).toBe('c')
})

test('the shapes of every algorithm and 200 windows differ, and each is parsed as it was written', () => {
  const seen = new Set<string>()
  for (const algorithm of ['sliding', 'token-bucket', 'fixed'] as const) {
    for (let i = 0; i < 200; i += 1) {
      const policy = policyOf({ algorithm, windowMs: 100 + i * 450 })
      const shape = shapeOf(policy)
      expect(withShape(policyOf({}), shape)).toMatchObject({ algorithm, windowMs: policy.windowMs })
      seen.add(shape)
    }
  }
  expect(seen.size).toBe(600)
  for (const shape of ['c', '', 's', 's1h', 'x60', 's-1']) {
    expect(withShape(policyOf({}), shape)).toBeUndefined()
  }
})

test('a count has one subject for any identifier', () => {
  const keys = limiterKeys()
  for (const id of ['', '~s60:', 'a~b', '::1', '~', 'x~:y']) {
    const count = keys.countPrefix(policyOf({})) + id
    expect(count.replace(/~[^:]*/, '')).toBe(keys.subjectPrefix('p') + id)
    expect(keys.parseSubject(keys.subjectPrefix('p') + id)).toEqual({ policy: 'p', id })
  }
})
