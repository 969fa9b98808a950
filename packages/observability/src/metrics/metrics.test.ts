import { expect, test } from '@repo/testing'
import { createMetrics } from './metrics.ts'

test('figures are read at each request of /metrics: each name is registered once, with all labels', async () => {
  const metrics = createMetrics({ app: 'auth', instance: 'auth-1' })
  const kept = { hits: 3, entries: 7 }
  const hits = { name: 'threefold_cache_hits_total', help: 'Hits', kind: 'counter' as const }
  metrics.observe([
    { ...hits, labels: { cache: 'user' }, read: () => kept.hits },
    { name: 'threefold_cache_entries', help: 'Kept', kind: 'gauge', read: () => kept.entries },
  ])
  metrics.observe([{ ...hits, labels: { cache: 'setting' }, read: () => 1 }])
  const first = await metrics.registry.metrics()
  expect(first).toContain(
    'threefold_cache_hits_total{cache="user",app="auth",instance="auth-1"} 3\n',
  )
  expect(first).toContain(
    'threefold_cache_hits_total{cache="setting",app="auth",instance="auth-1"} 1',
  )
  expect(first.match(/# TYPE threefold_cache_hits_total counter/g)).toHaveLength(1)

  kept.hits = 5
  kept.entries = 2
  const second = await metrics.registry.metrics()
  expect(second).toContain(
    'threefold_cache_hits_total{cache="user",app="auth",instance="auth-1"} 5',
  )
  expect(second).toContain('threefold_cache_entries{app="auth",instance="auth-1"} 2')
})

test('a series that a figure no longer returns is absent from the next scrape', async () => {
  const metrics = createMetrics({ app: 'gateway', instance: 'gateway-1' })
  const targets = new Map([
    ['a:1', 1],
    ['b:1', 2],
  ])
  for (const kind of ['counter', 'gauge'] as const) {
    metrics.observe([
      {
        ...{ name: `threefold_test_${kind}`, help: 'Test', kind, labelNames: ['target'] },
        readSeries: () => [...targets].map(([target, value]) => ({ labels: { target }, value })),
      },
    ])
  }
  const linesOfTest = async () =>
    (await metrics.registry.metrics()).match(/^threefold_test_\w+\{target=.*$/gm)
  expect(await linesOfTest()).toHaveLength(4)
  targets.delete('a:1')
  targets.set('b:1', 5)
  expect(await linesOfTest()).toEqual([
    'threefold_test_counter{target="b:1",app="gateway",instance="gateway-1"} 5',
    'threefold_test_gauge{target="b:1",app="gateway",instance="gateway-1"} 5',
  ])
})
