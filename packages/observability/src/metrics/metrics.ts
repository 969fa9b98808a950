import { failuresByTask } from '@repo/concurrency'
import { collectDefaultMetrics, Counter, Registry } from 'prom-client'
import { createObserve } from './families.ts'
import { RequestDurations } from './request-durations.ts'

/**
 * The interval at which the delay of the event loop is measured. Each measurement wakes an idle process:
 * at 10 ms, the default, these wake-ups were most of the wake-ups of an instance at rest.
 */
const LOOP_EVERY_MS = 100

/** Creates the Prometheus metrics of one instance: process, event loop, requests by status. */
export function createMetrics({ app, instance }: { app: string; instance: string }) {
  const registry = new Registry()
  registry.setDefaultLabels({ app, instance })
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_EVERY_MS })
  const duration = new RequestDurations({
    name: 'threefold_http_request_seconds',
    help: 'Time from the first byte of a request to the last of its response',
    labelNames: ['method', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  })
  const unhandled = new Counter({
    name: 'threefold_process_unhandled_errors_total',
    help: 'Errors that no code handled',
    labelNames: ['kind'],
    registers: [registry],
  })
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
  return { registry, duration, unhandled, observe: createObserve(registry) }
}

export type Metrics = ReturnType<typeof createMetrics>
