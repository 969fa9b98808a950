import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Prometheus metrics of one instance: the process, the event loop, and each request by its status. */
export function createMetrics({ app, instance }: { app: string; instance: string }) {
  const registry = new Registry()
  registry.setDefaultLabels({ app, instance })
  collectDefaultMetrics({ register: registry })
  const inFlight = new Gauge({
    name: 'threefold_http_requests_in_flight',
    help: 'Requests being served',
    registers: [registry],
  })
  const duration = new Histogram({
    name: 'threefold_http_request_seconds',
    help: 'Time from the first byte of a request to the last of its response',
    labelNames: ['method', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  })
  return { registry, inFlight, duration }
}

export type Metrics = ReturnType<typeof createMetrics>
