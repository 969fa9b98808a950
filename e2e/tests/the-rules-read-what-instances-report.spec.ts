import { expect, test } from '@playwright/test'
import { readScrape } from '@repo/monitoring/metrics'
import { exporterMetrics, missingNames, type NamedMetric } from '@repo/monitoring/names'
import { EDGE, IS_IN_CONTAINERS, readCluster } from '../cluster.ts'
import { administrator, signIn } from '../person.ts'

/** The metrics of every instance and of the edge. */
async function scrapeAll(): Promise<NamedMetric[]> {
  const { instances, edgeMetrics } = readCluster()
  const urls = instances.map(({ url }) => `${url}/metrics`)
  if (edgeMetrics !== undefined) urls.push(edgeMetrics)
  const texts = await Promise.all(urls.map(async (url) => (await fetch(url)).text()))
  return texts.flatMap((text) => [...readScrape(text).metrics.values()])
}

// This file is the last one of its project, so the cluster has served every other spec.
test('every metric and every label of the alerts and of the dashboard is in a scrape of the cluster', async ({
  request,
}) => {
  // An instance that another spec has stopped is new: each app serves some requests first.
  const response = await signIn(request, administrator)
  expect(response.status()).toBe(200)
  for (let n = 0; n < 12; n += 1) {
    for (const path of ['/api/me', '/api/payments', '/account', '/api/auth/get-session']) {
      await request.get(`${EDGE}${path}`)
    }
  }
  const metrics = [...(await scrapeAll()), ...exporterMetrics()]
  // A stack in containers has no receiver of traces, and so none of their metrics.
  const missing = missingNames(metrics)
  expect(missing.filter((line) => !IS_IN_CONTAINERS || !line.includes('threefold_trace_'))).toEqual(
    [],
  )
})
