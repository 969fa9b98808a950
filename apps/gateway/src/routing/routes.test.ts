import { endpoints } from '@repo/api/endpoints'
import { expect, test } from '@repo/testing'
import { services } from '../upstreams/services.ts'
import { createRoutes } from './routes.ts'

const { all, table, unknown } = createRoutes(services, endpoints)

test('every endpoint of the contract and every prefix of a service has one route with all facts', () => {
  for (const { method, path } of endpoints) {
    const route = table.match(method, path.replaceAll(/\{\w+\}/g, '7'))
    expect(route).toMatchObject({ match: path, methods: expect.arrayContaining([method]) })
  }
  for (const { name, paths } of services) {
    for (const path of paths) {
      expect(table.match('PURGE', `${path}/nowhere/at/all`)).toMatchObject({
        match: `${path}/*`,
        upstream: name,
        methods: undefined,
      })
    }
  }
  expect(all.map(({ index }) => index)).toEqual(all.map((_, i) => i))
})

function factsOf(method: string, path: string) {
  const { upstream, auth, stages, idempotency, allow } = table.match(method, path) ?? unknown
  return { upstream, auth, stages, idempotency, allow }
}

test('a route of a service that needs a session refuses every other caller, and an own route decides itself', () => {
  expect(factsOf('POST', '/api/payments')).toEqual({
    upstream: 'payments',
    auth: 'required',
    stages: [
      'check-source',
      'enrich',
      'authenticate',
      'limit',
      'refuse-key',
      'require-session',
      'check-feature',
      'idempotency',
      'forward',
    ],
    idempotency: 'optional',
    allow: undefined,
  })
  expect(factsOf('GET', '/api/payments/7')).toMatchObject({
    stages: ['enrich', 'authenticate', 'limit', 'refuse-key', 'require-session', 'forward'],
    idempotency: 'none',
  })
  expect(factsOf('GET', '/api/auth/get-session')).toMatchObject({
    upstream: 'auth',
    auth: 'open',
    stages: ['enrich', 'authenticate', 'limit', 'refuse-key', 'forward'],
  })
  expect(factsOf('GET', '/api/me')).toMatchObject({
    upstream: undefined,
    auth: 'checked',
    stages: ['enrich', 'authenticate', 'limit', 'refuse-key', 'serve'],
  })
  expect(factsOf('PUT', '/api/me')).toMatchObject({
    stages: ['check-source', 'enrich', 'authenticate', 'limit', 'refuse-key', 'refuse-method'],
    allow: 'GET, HEAD',
  })
  expect(factsOf('GET', '/api/nowhere')).toMatchObject({ auth: 'checked', upstream: undefined })
})

test('every route that writes checks its source and the writes of impersonators before anything else', () => {
  for (const { match, methods, stages } of all) {
    const onlyReads = methods?.every((method) => ['GET', 'HEAD', 'OPTIONS'].includes(method))
    if (onlyReads) continue
    expect(stages.slice(0, 4), match).toEqual(['check-source', 'enrich', 'authenticate', 'limit'])
  }
})

test('an endpoint whose keys no user owns stops the start, and so does one that runs exactly once without keys', () => {
  const base = { method: 'POST', tag: 'test', summary: 'Test', responses: {} } as const
  const keyed = { ...base, auth: 'signed-in', idempotency: 'optional' } as const
  expect(() =>
    createRoutes(services, [{ ...keyed, path: '/api/payments/x', exactlyOnce: true }]),
  ).not.toThrow()
  for (const path of ['/api/auth/x', '/api/me/x'] as const) {
    expect(() => createRoutes(services, [{ ...keyed, path }])).toThrow(
      `the endpoint ${path} has idempotency, which needs a service with access: signed-in`,
    )
  }
  expect(() =>
    createRoutes(services, [
      { ...base, auth: 'signed-in', path: '/api/payments/x', exactlyOnce: true },
    ]),
  ).toThrow('exactlyOnce, which needs idempotency')
})
