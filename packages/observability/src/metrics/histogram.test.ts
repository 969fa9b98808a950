import { expect, test } from '@repo/testing'
import { Histogram, Registry } from 'prom-client'
import { createHistogram } from './histogram.ts'
import { createMetrics } from './metrics.ts'

const LABELS = { app: 'auth', instance: 'auth-1' }

test('the text of a histogram is the text of prom-client for the same values', async () => {
  const metrics = createMetrics(LABELS)
  const reference = new Registry()
  reference.setDefaultLabels(LABELS)
  const buckets = [0.001, 0.01, 1]
  const shared = { name: 'threefold_test_seconds', help: 'Test' }
  const theirs = new Histogram({
    ...shared,
    labelNames: ['kind'],
    buckets,
    registers: [reference],
  })
  for (const kind of ['read', 'write']) {
    const ours = createHistogram({ ...shared, buckets, labels: { kind } })
    metrics.observe([ours])
    for (const seconds of [0, 0.001, 0.0011, 0.3, 1, 1.1, 4_000]) {
      ours.observe(seconds)
      theirs.observe({ kind }, seconds)
    }
  }
  const text = await metrics.registry.getSingleMetricAsString('threefold_test_seconds')
  expect(text.split('\n')).toHaveLength(2 + 2 * 6)
  expect(text).toBe(await reference.getSingleMetricAsString('threefold_test_seconds'))
})

test('a value that is no duration leaves the histogram unchanged', () => {
  const histogram = createHistogram({ name: 'threefold_test_seconds', help: 'Test', buckets: [1] })
  for (const seconds of [Number.NaN, -1, Infinity, -Infinity]) histogram.observe(seconds)
  expect(histogram.read()).toMatchObject({ counts: [0, 0], sum: 0 })
  histogram.observe(0.5)
  expect(histogram.read()).toMatchObject({ counts: [1, 0], sum: 0.5 })
})

test('a histogram whose bounds are not in ascending order is refused', () => {
  const shared = { name: 'threefold_test_seconds', help: 'Test' }
  for (const buckets of [[1, 1], [2, 1], [Number.NaN]]) {
    expect(() => createHistogram({ ...shared, buckets })).toThrow(RangeError)
  }
})
