import { failuresByTask } from '@repo/concurrency'
import { collectDefaultMetrics, Counter, Registry } from 'prom-client'
import { createObserve } from './families.ts'
import { acceptsOpenMetrics, OPEN_METRICS, writeOpenMetrics } from './open-metrics.ts'
import { RequestMetrics } from './request-metrics.ts'

/**
 * The interval at which the delay of the event loop is measured. Each measurement wakes an idle process:
 * at 10 ms, the default, these wake-ups were most of the wake-ups of an instance at rest.
 */
const LOOP_EVERY_MS = 100

/** The bounds of the pauses of garbage collection, in seconds. */
const PAUSES = [0.001, 0.01, 0.1, 1]
/** Thirteen series each. The sizes of the whole heap, and the used bytes of its spaces, remain. */
const OMITTED = ['nodejs_heap_space_size_total_bytes', 'nodejs_heap_space_size_available_bytes']
/** With the other series of an instance, fewer than 500 series. */
const MAX_COMBINATIONS = 16

/**
 * Creates the Prometheus metrics of one instance: process, event loop, requests by route and status.
 *
 * @param maxCombinations the bound of the combinations of method, route and class of the status, at
 * least 8; each one has 15 series
 */
export function createMetrics({
  app,
  instance,
  maxCombinations = MAX_COMBINATIONS,
}: {
  app: string
  instance: string
  maxCombinations?: number
}) {
  const registry = new Registry()
  registry.setDefaultLabels({ app, instance })
  collectDefaultMetrics({
    register: registry,
    eventLoopMonitoringPrecision: LOOP_EVERY_MS,
    gcDurationBuckets: PAUSES,
  })
  for (const name of OMITTED) registry.removeSingleMetric(name)
  const observe = createObserve(registry)
  const requests = new RequestMetrics(maxCombinations, registry)
  observe([...requests.totals(), requests.responses()])
  const unhandled = new Counter({
    name: 'threefold_process_unhandled_errors_total',
    help: 'Errors that no code handled',
    labelNames: ['kind'],
    registers: [registry],
  })
  // Prometheus sees no increase in a series that appears with its first error.
  for (const kind of ['rejection', 'exception']) unhandled.inc({ kind }, 0)
  const background = new Counter({
    name: 'threefold_background_failures_total',
    help: 'Failures of work that no request waits for, by task',
    labelNames: ['task'],
    registers: [registry],
    collect() {
      background.reset()
      for (const [task, count] of failuresByTask()) background.inc({ task }, count)
    },
  })
  /** Returns the body of `/metrics` in the format that the scraper prefers by its header `Accept`. */
  async function scrape(accept?: string): Promise<{ contentType: string; body: string }> {
    if (acceptsOpenMetrics(accept)) {
      return { contentType: OPEN_METRICS, body: await writeOpenMetrics(registry) }
    }
    return { contentType: registry.contentType, body: await registry.metrics() }
  }

  return { registry, requests, unhandled, observe, scrape }
}

export type Metrics = ReturnType<typeof createMetrics>
