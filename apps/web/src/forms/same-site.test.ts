import { expect, test } from 'vitest'
import { sameSitePath } from './same-site.ts'

test.each(['/account', '/payments?made=1', '/api/auth/oauth2/authorize?client_id=a#b'])(
  '%s stays on this site',
  (next) => {
    expect(sameSitePath(next, '/')).toBe(next)
  },
)

test.each([
  'https://evil.test/',
  '//evil.test/',
  '/\\evil.test/',
  '/\t/evil.test/',
  '\\\\evil.test',
  'javascript:alert(1)',
  'account',
  '',
  undefined,
  ['/account', '//evil.test'],
])('%j never leads away', (next) => {
  expect(sameSitePath(next, '/account')).toBe('/account')
})
