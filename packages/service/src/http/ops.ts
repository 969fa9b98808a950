import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Log, Metrics } from '@repo/observability'
import { type Check, createSharedChecks, type Phase, readHealth } from './health.ts'

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
 * Creates the handler of the operational endpoints of an instance: `/livez`, `/readyz`, `/health`
 * (and `/api/health`) and `/metrics`. Readiness covers this instance only: the failure of a shared
 * store must not remove every instance from the balancer at once.
 *
 * @returns a function that returns whether it handled the request
 */
export function createOps(options: OpsOptions) {
  const { instance, version, phase, checks, drift, problems, metrics, log } = options

  const share = createSharedChecks()

  async function health(res: ServerResponse) {
    const faults = { drift: drift(), problems: problems() }
    const shared = share(checks)
    const report = await readHealth({
      phase: phase(),
      instance,
      version,
      checks: shared,
      ...faults,
    })
    sendJson(res, report.status === 'unhealthy' ? 503 : 200, report)
  }

  const routes: Record<string, (res: ServerResponse) => void | Promise<void>> = {
    '/livez': (res) => sendJson(res, 200, { status: 'live', instance }),
    '/readyz': (res) =>
      sendJson(res, phase() === 'ready' ? 200 : 503, { status: phase(), instance }),
    '/health': health,
    '/api/health': health,
    async '/metrics'(res) {
      const { contentType, body } = await metrics.scrape(res.req.headers.accept)
      res.writeHead(200, { 'content-type': contentType })
      res.end(body)
    },
  }

  return function ops(req: IncomingMessage, res: ServerResponse): boolean {
    // The target of a request may lack the slash: `constructor` is no route.
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

/** Returns the path of a request, without its query. */
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
