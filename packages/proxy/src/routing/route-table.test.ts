import { expect, test, vi } from 'vitest'
import { ProxyError } from '../options.ts'
import { createRouteTable } from './route-table.ts'

const entry = (path: string, method?: string) => ({
  path,
  method,
  route: method ? `${method} ${path}` : path,
})

const refuse = (path: string, allow: string) => `405 ${path}: ${allow}`

const entries = [
  entry('/*'),
  entry('/api/auth/*'),
  entry('/api/payments/*'),
  entry('/api/payments', 'GET'),
  entry('/api/payments', 'POST'),
  entry('/api/payments/{id}', 'GET'),
  entry('/api/payments/verify', 'POST'),
  entry('/api/payments/{id}/refunds', 'POST'),
  entry('/api/payments/verify/status', 'GET'),
  entry('/api/me', 'GET'),
  entry('/api/socket'),
]
const table = createRouteTable(entries, refuse)

test('each path and method has the route of its longest entry', () => {
  const found = {
    'GET /api/payments': 'GET /api/payments',
    'HEAD /api/payments': 'GET /api/payments',
    'POST /api/payments': 'POST /api/payments',
    'GET /api/payments/7': 'GET /api/payments/{id}',
    'POST /api/payments/verify': 'POST /api/payments/verify',
    'POST /api/payments/verify/refunds': 'POST /api/payments/{id}/refunds',
    'GET /api/payments/verify/status': 'GET /api/payments/verify/status',
    'GET /api/payments/': '/api/payments/*',
    'GET /api/payments//refunds': '/api/payments/*',
    'GET /api/payments/7/refunds/1': '/api/payments/*',
    'OPTIONS /api/payments': '/api/payments/*',
    'GET /api/auth': '/api/auth/*',
    'TRACE /api/auth/a/b': '/api/auth/*',
    'GET /api/authx': '/*',
    'GET /api': '/*',
    'GET /': '/*',
    'OPTIONS /api/me': '/*',
    'PURGE /api/socket': '/api/socket',
  }
  for (const [request, route] of Object.entries(found)) {
    const [method = '', path = ''] = request.split(' ')
    expect({ request, route: table.match(method, path) }).toEqual({ request, route })
  }
})

test('a method that a path does not have is a wrong method, and its route has the methods of the path', () => {
  const wrong = {
    'DELETE /api/payments': '405 /api/payments: GET, HEAD, POST',
    'PUT /api/payments/7': '405 /api/payments/{id}: GET, HEAD',
    'GET /api/payments/verify': '405 /api/payments/verify: POST',
    'get /api/me': '405 /api/me: GET, HEAD',
  }
  for (const [request, route] of Object.entries(wrong)) {
    const [method = '', path = ''] = request.split(' ')
    expect(table.match(method, path)).toBe(route)
  }
  expect(createRouteTable(entries).match('DELETE', '/api/payments')).toBe('/api/payments/*')
})

test('a path without an entry has no route, also for names that objects inherit', () => {
  const small = createRouteTable([entry('/api/me', 'GET'), entry('/api/auth/*')], refuse)
  for (const path of ['/', '/api', '/api/', '/api/me/', '/api/mes', '/constructor', '/__proto__']) {
    expect(small.match('GET', path)).toBe(undefined)
  }
  expect(small.match('OPTIONS', '/api/me')).toBe('405 /api/me: GET, HEAD')
})

test('two entries with one path and method, and malformed paths, are errors that name the route', () => {
  const twice = [entry('/api/{id}', 'GET'), entry('/api/{name}', 'GET')]
  expect(() => createRouteTable(twice)).toThrow(
    'the route GET /api/{name} must be in the list once',
  )
  for (const path of ['', 'api', '/api/', '/api/*/x', '/api/{id', '/api/%20', '/a/{id}/*']) {
    expect(() => createRouteTable([entry(path)])).toThrow(ProxyError)
  }
  expect(() => createRouteTable([entry('/api/*', 'GET')])).toThrow(ProxyError)
})

/** The look-ups in maps and the reads of entries of one match in a table with this many routes. */
function costOfMatch(count: number) {
  const cost = { lookUps: 0, reads: 0 }
  const many = Array.from({ length: count }, (_, i) => ({
    ...entry('', 'GET'),
    get path() {
      cost.reads += 1
      return `/api/service-${i}/items/{id}`
    },
  }))
  const large = createRouteTable(many)
  const last = `/api/service-${count - 1}/items/7`
  const reads = cost.reads
  const lookUp = vi.spyOn(Map.prototype, 'get')
  const scans = (['entries', 'keys', 'values', 'forEach'] as const).map((name) =>
    vi.spyOn(Map.prototype, name),
  )
  try {
    expect(large.match('GET', last)).toBe('GET ')
    for (const scan of scans) expect(scan).not.toHaveBeenCalled()
    return { lookUps: lookUp.mock.calls.length, reads: cost.reads - reads }
  } finally {
    vi.restoreAllMocks()
  }
}

test('a match among 2,000 routes makes one look-up for each segment, as among 2 routes', () => {
  // The segments, and the method.
  expect(costOfMatch(2)).toEqual({ lookUps: 5, reads: 0 })
  expect(costOfMatch(2_000)).toEqual(costOfMatch(2))
})
