import { endpoints } from '@repo/api/endpoints'
import { createMemoryRateLimiter } from '@repo/ratelimit/memory'
import { expect, test } from '@repo/testing'
import { isUnder } from '../path.ts'
import { createRoutes } from '../routing/routes.ts'
import { services } from '../upstreams/services.ts'
import { createLimitTable } from './limit-table.ts'
import { type Limits, parseLimits } from './limits.ts'

const { all, table: routes, unknown } = createRoutes(services, endpoints)

const PATHS = [
  '/api',
  '/api/auth',
  '/api/auth/sign-in',
  '/api/auth/sign-in/email',
  '/api/auth/admin',
  '/api/auth/oauth2',
  '/api/me',
  '/api/payments',
  '/api/payments/7',
  '/api/payments/verify',
  '/api/settings/public',
  '/api/limits',
  '/.well-known',
] as const
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'] as const

/** A generator of integers below a bound, the same in each run. */
function createRandom() {
  let state = 7
  return (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const policy = (name: string) => ({ name, quota: 1, windowMs: 1_000, by: 'ip' as const })

test('each route and method has the first limit that a scan finds, for 300 random sets of limits', () => {
  const random = createRandom()
  const names = Array.from({ length: 8 }, (_, i) => `p${i}`)
  const limiter = createMemoryRateLimiter({ policies: names.map(policy) })
  let found = 0
  for (let round = 0; round < 300; round += 1) {
    const rules = names.slice(0, random(9)).map((name) => ({
      path: PATHS[random(PATHS.length)]!,
      policies: [name],
      ...(random(2) === 0 && { methods: METHODS.filter(() => random(2) === 0) }),
    }))
    const usable = rules.filter(({ methods }) => methods === undefined || methods.length > 0)
    const parsed = parseLimits({ policies: names.map(policy), routes: usable })
    if (parsed.outcome === 'invalid') throw new Error(parsed.faults.join('\n'))
    const limits = createLimitTable({ limiter, limits: parsed.limits, routes: all })
    for (const path of [...PATHS, '/api/payments/7/refunds', '/api/authx', '/api/x', '/']) {
      for (const method of [...METHODS, 'PURGE']) {
        const expected = usable.find(
          ({ path: prefix, methods }) =>
            isUnder(prefix, path) && (!methods || methods.some((each) => each === method)),
        )
        const route = routes.match(method, path) ?? unknown
        const limit = limits.find(route, method, path)
        expect({ path, method, has: limit !== undefined }).toEqual({
          path,
          method,
          has: expected !== undefined,
        })
        if (!expected) continue
        found += 1
        // The policy of the limit is the one of the rule.
        expect(limit?.policies).toEqual(expected.policies)
      }
    }
  }
  expect(found).toBeGreaterThan(5_000)
})

test('a limit states the dimensions that its policies count by, and whether it holds slots', () => {
  const parsed = parseLimits({
    policies: [
      { name: 'a', quota: 1, windowMs: 1_000, by: ['route', 'ip'] },
      { name: 'b', quota: 1, windowMs: 1_000, by: 'fingerprint', algorithm: 'concurrency' },
    ],
    routes: [
      { path: '/api/me', policies: ['a'] },
      { path: '/api', policies: ['a', 'b'] },
    ],
  })
  if (parsed.outcome === 'invalid') throw new Error(parsed.faults.join('\n'))
  const limiter = createMemoryRateLimiter({ policies: parsed.limits.policies })
  const limits = createLimitTable({ limiter, limits: parsed.limits, routes: all })
  const find = (path: string) => limits.find(routes.match('GET', path) ?? unknown, 'GET', path)
  expect(find('/api/me')).toMatchObject({ holdsSlots: false })
  expect([...(find('/api/me')?.dimensions ?? [])]).toEqual(['route', 'ip'])
  expect(find('/api/cluster')).toMatchObject({ holdsSlots: true })
  expect([...(find('/api/cluster')?.dimensions ?? [])]).toEqual(['route', 'ip', 'fingerprint'])
})

test('limits that no request can meet are faults that name the path or the method', () => {
  const policies = [{ name: 'ip', quota: 1, windowMs: 1_000, by: 'ip' }]
  const faultsOf = (...rules: Omit<Limits['routes'][number], 'policies'>[]) => {
    const source = { policies, routes: rules.map((rule) => ({ ...rule, policies: ['ip'] })) }
    const parsed = parseLimits(source, all)
    // Limits that another release stored are valid.
    expect(parseLimits(source).outcome).toBe('valid')
    return parsed.outcome === 'invalid' ? parsed.faults : []
  }
  expect(
    faultsOf(
      { path: '/api' },
      { path: '/api/auth/oauth2/token', methods: ['POST', 'OPTIONS'] },
      { path: '/api/payments/7' },
      { path: '/api/payments/7/refunds', methods: ['DELETE'] },
      { path: '/.well-known/x' },
      { path: '/api/limits/blocks', methods: ['DELETE'] },
    ),
  ).toEqual([])
  expect(
    faultsOf(
      { path: '/api/payment' },
      { path: '/api/me/name' },
      { path: '/api/me', methods: ['GET', 'POST'] },
    ),
  ).toEqual([
    'routes[0]: there is no route at or below "/api/payment"',
    'routes[1]: there is no route at or below "/api/me/name"',
    'routes[2]: no route at or below "/api/me" has the method POST',
  ])
})
