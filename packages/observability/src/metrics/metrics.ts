import { failuresByTask } from '@repo/concurrency'
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import { RequestDurations } from './request-durations.ts'

/** A number that a package counts itself. It is read when Prometheus requests `/metrics`. */
export interface Figure {
  /** `threefold_<package>_<noun>_<unit>`. Figures with the same name differ in their labels. */
  name: string
  help: string
  kind: 'counter' | 'gauge'
  labels?: Record<string, string>
  read: () => number
}

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

/** Returns a function that adds figures to `/metrics`. */
function createObserve(registry: Registry) {
  const observed = new Map<string, Figure[]>()

  function register({ name, help, kind, labels = {} }: Figure, figures: Figure[]) {
    const options = { name, help, labelNames: Object.keys(labels), registers: [registry] }
    const collect = (set: (figure: Figure) => void) => figures.forEach(set)
    if (kind === 'gauge') {
      const gauge = new Gauge({
        ...options,
        collect: () => collect((figure) => gauge.set(figure.labels ?? {}, figure.read())),
      })
      return
    }
    const counter = new Counter({
      ...options,
      collect() {
        counter.reset()
        collect((figure) => counter.inc(figure.labels ?? {}, figure.read()))
      },
    })
  }

  return function observe(figures: Figure[]): void {
    for (const figure of figures) {
      const registered = observed.get(figure.name)
      if (registered) registered.push(figure)
      else {
        const first = [figure]
        observed.set(figure.name, first)
        register(figure, first)
      }
    }
  }
}
