import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Log, Metrics } from '@repo/observability'
import { type Check, type Phase, readHealth } from './health.ts'

export interface OpsOptions {
  instance: string
  version: string
  phase: () => Phase
  checks: Record<string, Check>
  drift: () => string[]
  problems: () => string[]
  metrics: Metrics
  log: Log
}

/**
 * The endpoints that every instance answers itself, on its own port: `/livez`, `/readyz`,
 * `/health` (and `/api/health`), `/metrics`. Readiness is this instance's alone: a shared store's
 * trouble must not take every instance out of the balancer at once.
 *
 * @returns whether the request was one of them
 */
export function createOps(options: OpsOptions) {
  const { instance, version, phase, checks, drift, problems, metrics, log } = options

  async function health(res: ServerResponse) {
    const own = { drift: drift(), problems: problems() }
    const report = await readHealth({ phase: phase(), instance, version, checks, ...own })
    sendJson(res, report.status === 'unhealthy' ? 503 : 200, report)
  }

  const routes: Record<string, (res: ServerResponse) => void | Promise<void>> = {
    '/livez': (res) => sendJson(res, 200, { status: 'live', instance }),
    '/readyz': (res) =>
      sendJson(res, phase() === 'ready' ? 200 : 503, { status: phase(), instance }),
    '/health': health,
    '/api/health': health,
    async '/metrics'(res) {
      const body = await metrics.registry.metrics()
      res.writeHead(200, { 'content-type': metrics.registry.contentType })
      res.end(body)
    },
  }

  return function ops(req: IncomingMessage, res: ServerResponse): boolean {
    // A request target need not begin with a slash: `constructor` is no route.
    const path = pathOf(req)
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined
    if (!route || (req.method !== 'GET' && req.method !== 'HEAD')) return false
    Promise.try(route, res).catch((error: unknown) => {
      log.error({ event: 'error', err: error }, `${path} failed`)
      res.destroy()
    })
    return true
  }
}

/** The path of a request, without its query. */
export function pathOf(req: IncomingMessage): string {
  return (req.url ?? '/').split('?', 1)[0] ?? '/'
}

function sendJson(res: ServerResponse, status: number, body: unknown) {
  const text = JSON.stringify(body)
  res.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(text),
  })
  res.end(text)
}
