import { expect, test } from '@repo/testing'
import { exporterSeries } from './exporters.ts'
import { namesOf } from './expression-names.ts'
import { allExpressions } from './expressions.ts'
import { missingNames } from './missing-names.ts'
import { readScrapes } from './scrape.ts'

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
  const scraped = readScrapes([
    '# HELP a_total A metric\na_total{app="auth",reason="say \\"no\\", thrice"} 3\nb 1 1700000000\n# TYPE errors_total counter\n',
  ])
  const expressions = [
    { place: 'one', expr: 'sum by (app, reason) (rate(a_total[5m])) and b == 1' },
    { place: 'two', expr: 'sum by (tier) (a_total{policy="x"})' },
    { place: 'three', expr: 'c_total' },
    { place: 'four', expr: 'sum by (kind) (errors_total)' },
  ]
  expect(missingNames(scraped, expressions)).toEqual([
    'two reads the label tier of a_total, which no series has',
    'two reads the label policy of a_total, which no series has',
    'three reads c_total, which no scrape has',
  ])
})

test('every metric of an exporter in rules and dashboard is in exporters.json', () => {
  const missing = missingNames(readScrapes([exporterSeries()]))
  expect(
    missing.filter((line) => /reads (the label .* of )?(redis|pg|probe|node)_/.test(line)),
  ).toEqual([])
})
