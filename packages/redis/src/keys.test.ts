import { expect, test } from '@repo/testing'
import { keyspace } from './keys.ts'

const key = keyspace('cluster')

test('a key has the concern as its hash tag', () => {
  expect(key('instances')).toBe('threefold:{cluster}:instances')
  expect(key('instances', 'auth-1', 'load')).toBe('threefold:{cluster}:instances:auth-1:load')
})

test('different parts never make the same key', () => {
  const parts = [['a', 'b'], ['a:b'], ['a%3Ab'], ['a%3ab'], ['a', '', 'b'], ['a::b'], ['a'], []]
  const keys = parts.map((each) => key(...each))
  expect(new Set(keys).size).toBe(parts.length)
})

test('a concern that would be no hash tag is refused', () => {
  for (const concern of ['', '{', 'a}b', 'a{b}']) {
    expect(() => keyspace(concern)).toThrow(TypeError)
  }
})
