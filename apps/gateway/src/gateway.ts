import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Log, noteRoute } from '@repo/observability'
import { findPathFault, pathRules, type PathRule } from '@repo/proxy'
import { type ProblemOptions, sendProblem } from '@repo/service'
import { unavailable } from '@repo/service/hono'
import { type Cors, originRefused } from './browsers/cors.ts'
import { GatewayRequest } from './request/gateway-request.ts'
import { runStages } from './request/run-stages.ts'
import { createStages, type StageOptions } from './request/stages.ts'
import type { Routes } from './routing/routes.ts'
import { isUnavailable } from './unavailable.ts'
import type { Handshake } from './upstreams/forward.ts'

export interface GatewayOptions extends StageOptions {
  routes: Routes
  /** The rules for pages of other origins. */
  cors: Cors
  log: Log
}

/** Serves a request, or the handshake of a WebSocket (`createUpgrades`). */
export type Gateway = (req: IncomingMessage, res: ServerResponse, handshake?: Handshake) => unknown

const broken: ProblemOptions = {
  status: 500,
  code: 'internal',
  detail: 'An unexpected error occurred.',
}

function misspelt(rule: PathRule): ProblemOptions {
  return { status: 400, code: 'misspelt-path', detail: pathRules[rule] }
}

/**
 * The path of every request to `/api` and `/.well-known`: find its route, and run the stages of the
 * route. A path that an upstream could read as another one is refused, because routing, limits and
 * the signature of the identity depend on it. A request with a cached session, and a quota that this
 * instance decides, reaches the upstream in the turn in which it arrives.
 */
export function createGateway({ routes, cors, log, ...options }: GatewayOptions): Gateway {
  const stages = routes.all.map(createStages(options))

  function fail(res: ServerResponse, error: unknown): undefined {
    log.error({ event: 'error', err: error }, 'a request failed')
    if (res.headersSent) res.destroy()
    else sendProblem(res, isUnavailable(error) ? unavailable : broken)
    return undefined
  }

  return function gateway(req, res, handshake) {
    try {
      const target = req.url ?? '/'
      const fault = findPathFault(target)
      if (fault) return sendProblem(res, misspelt(fault))
      const query = target.indexOf('?')
      const path = query === -1 ? target : target.slice(0, query)
      const { outcome, headers } = cors.check(req, path)
      // Only a page of another origin causes some. Problems have them too, so that it can read them.
      for (let i = 0; i < headers.length; i += 2) {
        res.appendHeader(headers[i] ?? '', headers[i + 1] ?? '')
      }
      if (outcome === 'refused') return sendProblem(res, originRefused)
      if (outcome === 'preflight') return void res.writeHead(204).end()
      const route = routes.table.match(req.method ?? 'GET', path) ?? routes.unknown
      if (route !== routes.unknown) noteRoute(route.match)
      const request = new GatewayRequest(req, res, route, path, handshake)
      if (route.idempotency === 'none' && req.headers['idempotency-key'] !== undefined) {
        request.headers.push('Idempotency-Status', 'ignored')
      }
      for (const part of cors.vary) request.headers.push(part)
      // The server awaits this promise, and closes the connection if the problem cannot be sent.
      return runStages(stages[route.index] ?? [], request)?.catch((error: unknown) =>
        fail(res, error),
      )
    } catch (error) {
      return fail(res, error)
    }
  }
}
