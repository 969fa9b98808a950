import { CacheError } from '@repo/cache-broadcast'
import { RateLimitError } from '@repo/ratelimit'
import { expect, test } from '@repo/testing'
import { isUnavailable } from './unavailable.ts'

test('a store that refuses, is unreachable or is closed makes a request 503', () => {
  for (const code of ['unavailable', 'timeout', 'rejected', 'closed'] as const) {
    expect(isUnavailable(new CacheError(code, 'OOM command not allowed')), code).toBe(true)
  }
  expect(isUnavailable(new RateLimitError('unavailable', 'OOM command not allowed'))).toBe(true)
})

test('a loader that PostgreSQL keeps waiting makes a request 503', () => {
  expect(isUnavailable(new CacheError('load-timeout', 'no value within 2500 ms'))).toBe(true)
})

test('a defect of a script and a wrong use make a request 500', () => {
  for (const code of ['defect', 'bad-key', 'too-large', 'unserialisable'] as const) {
    expect(isUnavailable(new CacheError(code, 'wrong')), code).toBe(false)
  }
  for (const code of ['defect', 'unknown-policy', 'bad-cost'] as const) {
    expect(isUnavailable(new RateLimitError(code, 'wrong')), code).toBe(false)
  }
  expect(isUnavailable(new TypeError('wrong'))).toBe(false)
})
