import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@repo/testing'
import { readMetricTable, readScrape } from '../metrics/table.ts'
import { exporterMetrics } from './exporters.ts'
import { namesOf } from './expression-names.ts'
import { allExpressions } from './expressions.ts'
import { missingNames } from './missing-names.ts'

const METRICS = join(import.meta.dirname, '../../../../docs/metrics.md')

test('an expression has its metrics, with the labels of matchers, groups and joins', () => {
  expect(
    namesOf(
      'sum by (app, le) (rate(a_bucket{route!~"x|y"}[$__rate_interval])) / on (app) b{tier="memo"} offset 1m > 0',
    ),
  ).toEqual([
    { metric: 'a_bucket', labels: ['app', 'le', 'route'] },
    { metric: 'b', labels: ['app', 'tier'] },
  ])
  expect(namesOf('sum without (pid) (c{instance=~"$instance"})')).toEqual([
    { metric: 'c', labels: [] },
  ])
})

test.for(['rate(a[5m]', 'a + ', 'sum by (app (a)', 'a{b=}'])(
  'the malformed expression %s is an error',
  (expression) => expect(() => namesOf(expression)).toThrow(`malformed PromQL: ${expression}`),
)

test('every expression of the rules and of the dashboard is PromQL', () => {
  const expressions = allExpressions()
  expect(expressions.length).toBeGreaterThan(60)
  // The wanted number of instances is a constant.
  const constants = expressions.filter(({ expr }) => namesOf(expr).length === 0)
  expect(new Set(constants.map(({ expr }) => expr))).toEqual(new Set(['vector(3)']))
})

test('a metric that no scrape has, and a label that no series has, are reported with their place', () => {
  const { metrics } = readScrape(
    [
      '# TYPE a_total counter\na_total{app="auth",reason="x"} 3\n# TYPE b gauge\nb 1',
      '# TYPE errors_total counter\n# TYPE c_seconds histogram\nc_seconds_bucket{le="1"} 1\n',
    ].join('\n'),
  )
  const expressions = [
    { place: 'one', expr: 'sum by (app, reason) (rate(a_total[5m])) and b == 1' },
    { place: 'two', expr: 'sum by (tier) (a_total{policy="x"})' },
    { place: 'three', expr: 'd_total' },
    { place: 'four', expr: 'sum by (kind) (errors_total)' },
    {
      place: 'five',
      expr: 'sum by (le, route) (c_seconds_bucket) / sum by (le) (c_seconds_count)',
    },
  ]
  expect(missingNames([...metrics.values()], expressions)).toEqual([
    'two reads the label tier of a_total, which no series has',
    'two reads the label policy of a_total, which no series has',
    'three reads d_total, which no scrape has',
    'five reads the label route of c_seconds_bucket, which no series has',
    'five reads the label le of c_seconds_count, which no series has',
  ])
})

// A test of docs/metrics.md compares it with scrapes of the apps.
test('every metric and label of rules and dashboard is in docs/metrics.md or in exporters.json', () => {
  const table = readMetricTable(readFileSync(METRICS, 'utf8'))
  expect(missingNames([...table, ...exporterMetrics()])).toEqual([])
})
