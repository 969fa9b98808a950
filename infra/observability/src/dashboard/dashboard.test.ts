import { expect, test } from '@repo/testing'
import { rows, threefoldDashboard } from './dashboard.ts'

const charts = Object.values(rows).flat()

test('the dashboard has the rows Cluster, State and Work, and a panel for each chart', () => {
  const panels = threefoldDashboard().panels ?? []
  const titles = panels.filter(({ type }) => type === 'row').map(({ title }) => title)
  expect(titles).toEqual(['Cluster', 'State', 'Work'])
  expect(panels.length).toBe(titles.length + charts.length)
  expect(new Set(charts.map(({ title }) => title)).size).toBe(charts.length)
})

test.for(charts)(
  'the panel "$title" has a unit, a healthy range and queries with a legend',
  (chart) => {
    expect(chart.unit).toMatch(/^(s|bytes|percentunit|reqps|ops|short)$/)
    expect(chart.description).toMatch(/^Healthy: .{10,}/)
    expect(chart.queries.length).toBeGreaterThan(0)
    for (const [expr, legend] of chart.queries) expect([expr, legend].every(Boolean)).toBe(true)
  },
)

test('the queries of metrics of an instance use the variables app and instance', () => {
  const ofInstances = charts.flatMap(({ queries }) => queries.map(([expr]) => expr))
  const without = ofInstances.filter(
    (expr) => /threefold_|nodejs_|process_/.test(expr) && !expr.includes('instance=~"$instance"'),
  )
  // Sign-ins are requests to one app, independent of the variables.
  expect(without.filter((expr) => !/app="auth"/.test(expr))).toEqual([])
})
