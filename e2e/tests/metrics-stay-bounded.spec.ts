import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@playwright/test'
import {
  findMissing,
  findUndocumented,
  maxSeries,
  readMetricTable,
  readScrape,
} from '@repo/monitoring/metrics'
import { IS_IN_CONTAINERS, readCluster } from '../cluster.ts'

const ROOT = join(import.meta.dirname, '../..')
const rows = readMetricTable(readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8'))

interface Scraped {
  id: string
  app: string
  text: string
}

/** The metrics of every instance, and of the edge where the cluster has an embedded one. */
async function scrapeAll(): Promise<Scraped[]> {
  const { instances, edgeMetrics } = readCluster()
  const targets = [
    ...instances.map(({ app, id, url }) => ({ app, id, url: `${url}/metrics` })),
    ...(edgeMetrics ? [{ app: 'edge', id: 'edge-1', url: edgeMetrics }] : []),
  ]
  return Promise.all(
    targets.map(async ({ app, id, url }) => ({ app, id, text: await (await fetch(url)).text() })),
  )
}

test('after all other specs, each instance has few series, and its metrics are those of docs/metrics.md', async () => {
  const scraped = await scrapeAll()
  expect(scraped.length).toBeGreaterThanOrEqual(12)
  const scrapes = scraped.map(({ app, id, text }) => ({ app, id, ...readScrape(text) }))
  const counts = Object.fromEntries(scrapes.map(({ id, series }) => [id, series]))
  test.info().annotations.push({ type: 'series', description: JSON.stringify(counts) })
  for (const { app, id, ...scrape } of scrapes) {
    expect(scrape.series, id).toBeGreaterThan(80)
    expect(scrape.series, id).toBeLessThanOrEqual(maxSeries(app))
    expect(findUndocumented(rows, scrape), id).toEqual([])
  }
  // A stack in containers has no receiver of traces, and so none of their metrics.
  const missing = findMissing(rows, scrapes)
  expect(
    missing.filter((name) => !IS_IN_CONTAINERS || !name.startsWith('threefold_trace_')),
  ).toEqual([])
})

test('after all other specs, every route in the metrics is a template, and none is a text of a client', async () => {
  const routes = new Set(
    (await scrapeAll()).flatMap(({ text }) =>
      [...text.matchAll(/route="((?:[^"\\]|\\.)*)"/g)].map(([, route = '']) => route),
    ),
  )
  expect(routes.size).toBeGreaterThan(4)
  const template = /^(unmatched|other|(\/[a-z_.{}-]*[a-z_.{}*-])+|\/)$/i
  expect([...routes].filter((route) => !template.test(route))).toEqual([])
})
