import { once } from 'node:events'
import { type IncomingMessage, type Server, ServerResponse } from 'node:http'
import { createMetrics, instanceFigures, type Metrics } from '@repo/observability'
import { createHttpServer, responseEnd } from '@repo/service/http-server'

export interface EdgeMetrics {
  observe: Metrics['observe']
  /** Counts a request from now until its response ends, with the place of its path in the table. */
  count(req: IncomingMessage, res: ServerResponse, template: string | undefined): void
  /** Counts the response to a request that could not be read. */
  countUnreadable(status: number): void
  /** Serves `/metrics` on a port of this machine, which is never the public port. */
  serve(port: number): Promise<Server>
  ready(): void
  drain(): void
}

/** Creates the metrics of the edge: those of an instance that it can have, with the same names. */
export function createEdgeMetrics(instance: string): EdgeMetrics {
  const began = performance.now()
  const metrics = createMetrics({ app: 'edge', instance })
  let phase: 'starting' | 'ready' | 'draining' = 'starting'
  let bootSeconds = 0
  let inFlight = 0

  metrics.observe([
    ...instanceFigures({
      version: process.env['APP_VERSION'] ?? 'dev',
      phase: () => phase,
      bootSeconds: () => bootSeconds,
    }),
    {
      ...{ name: 'threefold_http_requests_in_flight', help: 'Requests being served' },
      kind: 'gauge',
      read: () => inFlight,
    },
  ])

  return {
    observe: metrics.observe,
    count(req, res, template) {
      const startedAt = performance.now()
      inFlight += 1
      res.once('close', () => {
        inFlight -= 1
        const { status } = responseEnd(res)
        // The time for which a connection stays open is no measure of the speed of the edge.
        if (status === 101) return metrics.requests.recordStatus(status)
        const seconds = (performance.now() - startedAt) / 1_000
        const context = { traceId: '', ...(template && { route: template }) }
        metrics.requests.record(req.method ?? 'GET', status, seconds, context)
      })
    },
    countUnreadable: (status) => metrics.requests.recordStatus(status),
    async serve(port) {
      const server = createHttpServer({
        response: ServerResponse,
        keepAliveTimeoutMs: 75_000,
        serve(req, res, refusal) {
          const isScrape = req.url === '/metrics' && (req.method === 'GET' || req.method === 'HEAD')
          if (refusal || !isScrape) return void res.writeHead(refusal?.status ?? 404).end()
          metrics.scrape(req.headers.accept).then(
            ({ contentType, body }) =>
              res.writeHead(200, { 'content-type': contentType }).end(body),
            () => res.destroy(),
          )
        },
      })
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      return server
    },
    ready() {
      phase = 'ready'
      bootSeconds = (performance.now() - began) / 1_000
    },
    drain() {
      phase = 'draining'
    },
  }
}
