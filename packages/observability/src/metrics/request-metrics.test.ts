import { expect, test } from '@repo/testing'
import { Histogram, Registry } from 'prom-client'
import { readRequestContext } from '../request/request-context.ts'
import { SECONDS } from './histogram.ts'
import { createMetrics } from './metrics.ts'

const LABELS = { app: 'auth', instance: 'auth-1' }
const NAME = 'threefold_http_request_seconds'
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'BREW']
const STATUSES = [200, 304, 404, 503]

type Metrics = ReturnType<typeof createMetrics>

function request(route?: string) {
  return { ...readRequestContext({ headers: {} }, () => false), ...(route && { route }) }
}

/** The values of the lines that begin with a name, by their labels without app and instance. */
async function valuesOf({ registry }: Metrics, name: string): Promise<Map<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith(`${name}{`))
  return new Map(
    lines.map((line) => {
      const [, labels = '', value] = /\{(.*)\} (\S+)$/.exec(line) ?? []
      const chosen = labels.split(',').filter((label) => !/^(app|instance)=/.test(label))
      return [chosen.join(','), Number(value)]
    }),
  )
}

test('the histogram of requests is the text of prom-client for the same values', async () => {
  const metrics = createMetrics(LABELS)
  const reference = new Registry()
  reference.setDefaultLabels(LABELS)
  const histogram = new Histogram({
    name: NAME,
    help: 'Time from the complete head of a request to the last byte of its response',
    labelNames: ['method', 'route', 'status_class'],
    buckets: [...SECONDS],
    registers: [reference],
  })
  const textOf = (registry: Registry) => registry.getSingleMetricAsString(NAME)
  expect(await textOf(metrics.registry)).toBe(await textOf(reference))
  for (const [method, route, status] of [
    ['GET', '/api/me', 200],
    ['POST', '/api/payments', 201],
    ['GET', '/api/payments/{id}', 503],
    ['GET', '/api/payments/{id}', 499],
  ] as const) {
    for (const seconds of [0, 0.001, 0.0051, 0.3, 4.99, 5, 5.1, 4_000]) {
      metrics.requests.record(method, status, seconds, request(route))
      const status_class = `${String(status).slice(0, 1)}xx`
      histogram.observe({ method, route, status_class }, seconds)
    }
  }
  expect((await textOf(metrics.registry)).split('\n')).toHaveLength(2 + 4 * 15)
  expect(await textOf(metrics.registry)).toBe(await textOf(reference))
})

test('10,000 routes with every method and status have no more series than the bound, and no request is lost', async () => {
  for (const maxCombinations of [8, 16, 28]) {
    const metrics = createMetrics({ ...LABELS, maxCombinations })
    let sent = 0
    for (let route = 0; route < 10_000; route += 1) {
      const context = request(route % 100 === 0 ? undefined : `/route/${route}`)
      const method = METHODS[route % METHODS.length] ?? ''
      for (const status of STATUSES) {
        metrics.requests.record(method, status, 0.01, context)
        sent += 1
      }
    }
    const counts = await valuesOf(metrics, `${NAME}_count`)
    expect(counts.size).toBe(maxCombinations)
    expect(counts.values().reduce((sum, count) => sum + count, 0)).toBe(sent)
    for (const status of ['2xx', '3xx', '4xx', '5xx']) {
      const other = counts.get(`method="any",route="other",status_class="${status}"`)
      expect(other, status).toBeGreaterThan(2_000)
    }
  }
})

test('a client that causes a 4xx of every route leaves half of the combinations to other requests', async () => {
  const metrics = createMetrics({ ...LABELS, maxCombinations: 24 })
  for (let route = 0; route < 1_000; route += 1) {
    for (const method of METHODS) metrics.requests.record(method, 403, 0.01, request(`/r/${route}`))
  }
  for (let route = 0; route < 10; route += 1) {
    metrics.requests.record('GET', 200, 0.01, request(`/r/${route}`))
  }
  const counts = await valuesOf(metrics, `${NAME}_count`)
  expect([...counts.keys()].filter((labels) => labels.includes('4xx'))).toHaveLength(10 + 1)
  for (let route = 0; route < 10; route += 1) {
    expect(counts.get(`method="GET",route="/r/${route}",status_class="2xx"`)).toBe(1)
  }
})

test('HEAD is counted as GET and OPTIONS in other, so that clients cannot use the combinations of real routes', async () => {
  const metrics = createMetrics({ ...LABELS, maxCombinations: 16 })
  for (let route = 0; route < 10; route += 1) {
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      metrics.requests.record(method, 200, 0.01, request(`/r/${route}`))
    }
  }
  const counts = await valuesOf(metrics, `${NAME}_count`)
  for (let route = 0; route < 10; route += 1) {
    expect(counts.get(`method="GET",route="/r/${route}",status_class="2xx"`)).toBe(2)
  }
  expect(counts.get('method="any",route="other",status_class="2xx"')).toBe(10)
  expect(counts.size).toBe(11)
})

test('a request without a route is counted as unmatched with any method', async () => {
  const metrics = createMetrics(LABELS)
  for (const method of METHODS) metrics.requests.record(method, 404, 0.01, request())
  const counts = await valuesOf(metrics, `${NAME}_count`)
  expect([...counts]).toEqual([['method="any",route="unmatched",status_class="4xx"', 8]])
})

test('responses are counted by exact status, and by at most 25 values of the label', async () => {
  const metrics = createMetrics(LABELS)
  for (const status of [200, 200, 499]) metrics.requests.record('GET', status, 0.01, request('/'))
  metrics.requests.recordStatus(431)
  const name = 'threefold_http_responses_total'
  const few = await valuesOf(metrics, name)
  expect(Object.fromEntries(few)).toEqual({
    'status="200"': 2,
    'status="431"': 1,
    'status="499"': 1,
  })
  for (let status = 100; status < 1_000; status += 1) metrics.requests.recordStatus(status)
  const all = await valuesOf(metrics, name)
  expect(all.size).toBe(25)
  expect(all.get('status="other"')).toBe(900 - 24)
  expect(all.get('status="200"')).toBe(3)
})

test('the totals of requests and of failures are 0 before the first request, and then count those of the histogram', async () => {
  const metrics = createMetrics({ ...LABELS, maxCombinations: 8 })
  const totals = async () => ({
    requests: (await valuesOf(metrics, 'threefold_http_requests_total')).get(''),
    failures: (await valuesOf(metrics, 'threefold_http_failures_total')).get(''),
  })
  expect(await totals()).toEqual({ requests: 0, failures: 0 })
  for (let route = 0; route < 20; route += 1) {
    for (const status of [200, 404, 499, 500, 503]) {
      metrics.requests.record('GET', status, 0.01, request(`/r/${route}`))
    }
  }
  // A request that could not be read is no request of the histogram.
  metrics.requests.recordStatus(500)
  expect(await totals()).toEqual({ requests: 100, failures: 40 })
})
