import { expect, test } from 'vitest'
import { sameSitePath } from './same-site.ts'

test.each(['/account', '/payments?made=1', '/api/auth/oauth2/authorize?client_id=a#b'])(
  'a sign-in may lead to %s, which is a path of this site',
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
])('a sign-in does not lead to %j, which is no path of this site', (next) => {
  expect(sameSitePath(next, '/account')).toBe('/account')
})
