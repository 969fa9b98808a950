import { expect, test } from '@repo/testing'
import { keyspace } from './keys.ts'

const key = keyspace('cluster')

test('all concerns share a slot, except one with ownSlot', () => {
  expect(key('instances')).toBe('threefold:{shared}:cluster:instances')
  expect(key('instances', 'auth-1')).toBe('threefold:{shared}:cluster:instances:auth-1')
  expect(keyspace('rl', { ownSlot: true })('ip', '::1')).toBe('threefold:{rl}:ip:%3A%3A1')
})

test('different parts never result in the same key', () => {
  const parts = [['a', 'b'], ['a:b'], ['a%3Ab'], ['a%3ab'], ['a', '', 'b'], ['a::b'], ['a'], []]
  const keys = parts.map((each) => key(...each))
  expect(new Set(keys).size).toBe(parts.length)
})

test('a concern that cannot be a hash tag is refused', () => {
  for (const concern of ['', '{', 'a}b', 'a{b}']) {
    expect(() => keyspace(concern)).toThrow(expect.objectContaining({ code: 'bad-option' }))
  }
})

test('a part that is not well-formed text is refused', () => {
  for (const part of ['a\ud800', 'a\udbff', '\udc00a', 'x'.repeat(4_097)]) {
    expect(() => key(part)).toThrow(expect.objectContaining({ code: 'bad-option' }))
  }
  expect(key('a\u{1f600}\ufffd')).toContain('\u{1f600}')
})
