import { expect, test } from 'vitest'
import { canaries, canaryContextOf } from './canaries.ts'

const ip = '192.0.2.1'
const user = { userId: 'u1', email: 'ada@x.test', role: 'user', sessionId: 's1' }
const admin = { ...user, userId: 'u2', role: 'admin' }

test('canaries are a service, a percentage and targets each', () => {
  expect(canaries().parse('auth 5 http://a:1,http://b:1; payments 100 dns://p:3004')).toEqual([
    { service: 'auth', percent: 5, targets: ['http://a:1', 'http://b:1'] },
    { service: 'payments', percent: 100, targets: ['dns://p:3004'] },
  ])
})

test.for([
  'auth',
  'auth 5',
  'auth 101 http://a:1',
  'auth -1 http://a:1',
  'auth 5 nowhere',
  'auth 5 registry:',
  'other 5 http://a:1',
  'auth 5 http://a:1;',
  'auth 5 http://a:1; auth 6 http://b:1',
])('the canaries %s are refused', (text) => {
  expect(canaries().safeParse(text).error?.issues[0]?.message).toMatch(/^must be a service/)
})

test('only the header of an administrator chooses the group, and only where the setting allows it', () => {
  const contextOf = (header: string | undefined, identity: typeof user | undefined, can: boolean) =>
    canaryContextOf(header, identity, ip, can)
  expect(contextOf('canary', admin, true)).toEqual({ stickyKey: 'u2', group: 'canary' })
  expect(contextOf('canary', admin, false)).toEqual({ stickyKey: 'u2' })
  expect(contextOf(undefined, admin, true)).toEqual({ stickyKey: 'u2' })
  expect(contextOf('canary', user, true)).toEqual({ stickyKey: 'u1' })
  expect(contextOf('canary', undefined, true)).toEqual({ stickyKey: ip })
  const acting = { ...admin, actor: { id: 'u3', name: 'Eve' } }
  expect(contextOf('canary', acting, true)).toEqual({ stickyKey: 'u2' })
})
