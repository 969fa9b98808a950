import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, freePort, test, until } from '@repo/testing'
import {
  findMissing,
  findUndocumented,
  maxSeries,
  readMetricTable,
  readScrape,
  type Scrape,
} from './table.ts'

const ROOT = join(import.meta.dirname, '../../../..')
const programOf = (app: string) => new URL(`file://${ROOT}/apps/${app}/src/main.ts`)
const EDGE = new URL(`file://${ROOT}/infra/local/src/edge.ts`)
const SECRET = 'k7Jx2mQ9vR4tY8wZ1aB5cD3eF6gH0iL-'
const ORIGIN = 'http://localhost:8080'

const rows = readMetricTable(readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8'))

test('each metric has one row, with a type and labels', () => {
  expect(rows.length).toBeGreaterThan(90)
  expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
  expect(rows.find(({ name }) => name === 'threefold_http_request_seconds')).toEqual({
    name: 'threefold_http_request_seconds',
    type: 'histogram',
    labels: ['method', 'route', 'status_class'],
  })
})

test('a metric without a row, with another type or other labels, and a row without a metric are found', () => {
  const scrape = readScrape(
    [
      '# HELP a_total A\n# TYPE a_total counter\na_total{kind="x",app="auth",instance="auth-1"} 1',
      '# TYPE b_seconds histogram\nb_seconds_bucket{le="1",tier="y"} 1\nb_seconds_sum{tier="y"} 1',
      '# TYPE c gauge\nc 1\n# TYPE d gauge\n',
    ].join('\n'),
  )
  expect(scrape.series).toBe(4)
  const table = readMetricTable(
    [
      '| name | type | labels | meaning | healthy |',
      '| `a_total` | counter | `kind` | A | 0 |',
      '| `b_seconds` | histogram | `kind` | B | 0 |',
      '| `c` | counter | — | C | 0 |',
      '| `e` | gauge | — | E | 0 |',
    ].join('\n'),
  )
  expect(findUndocumented(table, scrape)).toEqual([
    'b_seconds is histogram tier, and docs/metrics.md has histogram kind',
    'c is gauge , and docs/metrics.md has counter ',
    'd has no row in docs/metrics.md',
  ])
  expect(findMissing(table, [scrape])).toEqual(['e'])
})

async function send(url: string, cookie: string, method = 'GET', body?: object) {
  const response = await fetch(url, {
    ...{ method, redirect: 'manual', ...(body && { body: JSON.stringify(body) }) },
    headers: { origin: ORIGIN, 'content-type': 'application/json', cookie },
  })
  await response.arrayBuffer()
  return response
}

/** The combinations of requests that an app counts at most, with 15 series each. */
const combinationsOf = (app: string) => (app === 'gateway' ? 23 : 16)

/** Two upstreams: with twelve targets each, and `other`. The local cluster has nine instances at most. */
const targetsOf = (app: string) => 2 * (app === 'edge' ? 9 : 13)

/** The series of an instance with all combinations, statuses, kinds of pauses and targets. */
function mostSeries(app: string, { metrics, series }: Scrape): number {
  const growing = {
    threefold_http_request_seconds: combinationsOf(app) * 15,
    threefold_http_responses_total: 25,
    nodejs_gc_duration_seconds: 4 * 7,
    threefold_proxy_requests_total: targetsOf(app) * 5,
    threefold_proxy_ejections_total: targetsOf(app),
    threefold_proxy_target_in_flight: targetsOf(app),
    threefold_proxy_target_healthy: targetsOf(app),
  }
  return Object.entries(growing).reduce((sum, [name, most]) => {
    const present = metrics.get(name)?.series
    return present === undefined ? sum : sum - present + most
  }, series)
}

test('the metrics of auth, gateway, payments and the edge are those of docs/metrics.md, and their series are few', async ({
  replicas,
  databaseUrl,
  redisUrl,
}) => {
  const metricsPort = await freePort()
  const shared = {
    ...{ HOST: '127.0.0.1', DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, ORIGIN, DRAIN_MS: '0' },
    ...{ AUTH_SECRET: SECRET, INTERNAL_SECRET: SECRET },
    // Nothing listens there, so the spans are dropped and counted.
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
  }
  const start = async (
    program: URL,
    env: Record<string, string>,
    ready: `/${string}` = '/readyz',
  ) => {
    const [replica] = await replicas(1, { program, env: { ...shared, ...env }, ready })
    return replica?.url ?? ''
  }
  const auth = await start(programOf('auth'), { INSTANCE_ID: 'auth-1' })
  const payments = await start(programOf('payments'), { INSTANCE_ID: 'payments-1' })
  const upstreams = { INSTANCE_ID: 'gateway-1', AUTH_URLS: auth, PAYMENTS_URLS: payments }
  const gateway = await start(programOf('gateway'), upstreams)
  const edge = await start(
    EDGE,
    {
      ...{ EDGE_HOST: '127.0.0.1', EDGE_METRICS_PORT: String(metricsPort) },
      ...{ GATEWAY_URLS: gateway, WEB_URLS: gateway },
    },
    '/.edge/readyz',
  )

  const account = { name: 'Ada', email: 'ada@threefold.test', password: 'a long password' }
  const signedUp = await send(`${edge}/api/auth/sign-up/email`, '', 'POST', account)
  expect(signedUp.status).toBe(200)
  const cookie = signedUp.headers
    .getSetCookie()
    .map((each) => each.split(';', 1)[0])
    .join('; ')
  const order = { amount: 1, currency: 'EUR', reference: 'a test' }
  expect((await send(`${edge}/api/payments`, cookie, 'POST', order)).status).toBe(201)
  for (const path of ['/api/me', '/api/keys', '/api/payments', '/api/nowhere', '/api/settings']) {
    await send(`${edge}${path}`, cookie)
    await send(`${edge}${path}`, '')
  }
  for (const path of ['get-session', 'list-sessions', 'admin/list-users', 'nowhere']) {
    await send(`${edge}/api/auth/${path}`, cookie)
  }
  await send(`${edge}/api/auth/sign-out`, cookie, 'POST', {})

  const urls = { auth, payments, gateway, edge: `http://127.0.0.1:${metricsPort}` }
  const scrapes = await until(async () => {
    const texts = await Promise.all(
      Object.values(urls).map(async (url) => (await fetch(`${url}/metrics`)).text()),
    )
    // The request that is counted last.
    return texts[0]?.includes('route="/api/auth/sign-out"') ? texts.map(readScrape) : undefined
  })
  for (const [i, app] of Object.keys(urls).entries()) {
    const scrape = scrapes[i]!
    expect(scrape.series, app).toBeGreaterThan(100)
    expect(mostSeries(app, scrape), app).toBeLessThanOrEqual(maxSeries(app))
    expect(findUndocumented(rows, scrape), app).toEqual([])
  }
  expect(findMissing(rows, scrapes)).toEqual([])
})
