import type { IncomingMessage } from 'node:http'
import {
  captureConsole,
  captureWarnings,
  createInstanceLog,
  currentRequest,
  type Figure,
  type Log,
  logFigures,
  logRequest,
  noteTry,
  noteUpstream,
  passOn,
  readRequestContext,
  type RequestContext,
} from '@repo/observability'
import { answerProblem, getHeader, type ProxyOptions, type UpstreamEvent } from '@repo/proxy'
import { type InstanceResponse, responseEnd } from '@repo/service/http-server'

/** The context of a request whose line is logged; undefined: requests have no line. */
export type EdgeRequest = RequestContext | undefined

export interface EdgeLog {
  log: Log
  figures: Figure[]
  /** The hooks of the proxies that log problems and the instances that responded. */
  hooks: Pick<ProxyOptions<EdgeRequest>, 'onTry' | 'responseHeaders' | 'onProblem'>
  /** Logs a change of the state of an instance. */
  onEvent: (event: UpstreamEvent) => void
  /** Gives a request an id and a trace, and logs its line when it ends, if lines are wanted. */
  begin(req: IncomingMessage, res: InstanceResponse, route: string | undefined): EdgeRequest
}

/**
 * Creates the log of the edge on stdout, in the format of all instances. It never blocks the edge. The
 * output of libraries goes to it too.
 *
 * @param logsRequests whether each request has a line. The instance behind the edge writes one anyway
 */
export function createEdgeLog({
  instance,
  version,
  level,
  logsRequests,
}: {
  instance: string
  version: string
  level: string
  logsRequests: boolean
}): EdgeLog {
  const { log, output } = createInstanceLog({ app: 'edge', instance, version, level })
  captureConsole(log, console)
  captureWarnings(log)
  process.on('uncaughtExceptionMonitor', (error) => {
    log.fatal({ event: 'defect', err: error }, 'an unhandled error')
  })

  return {
    log,
    figures: logFigures(output),
    hooks: {
      onTry(_req, request, origin, tries) {
        if (request) noteTry(request, origin, tries)
      },
      responseHeaders(headers, _req, request) {
        const path = request && getHeader(headers, 'x-instance-id')
        if (request && path !== undefined) noteUpstream(request, path)
      },
      onProblem(req, res, problem) {
        const { code, detail, cause } = problem
        const { method, headers } = req
        const fields = { code, err: cause, method, path: pathOf(req) }
        // A malformed id of a client is replaced by another one.
        const { id } = readRequestContext(req)
        const request = id === headers['x-request-id'] ? { request: id } : {}
        log.warn({ event: 'upstream.problem', ...fields, ...request }, detail)
        answerProblem(req, res, problem)
      },
    },
    onEvent({ event, upstream, origin, detail }) {
      const severity = event === 'healthy' ? 'info' : 'warn'
      log[severity](
        { event: `upstream.${event}`, upstream, origin, detail },
        `${origin} is ${event}`,
      )
    },
    begin(req, res, route) {
      if (!logsRequests) return undefined
      const context = currentRequest() ?? giveContext(req)
      if (route !== undefined) context.route = route
      const began = performance.now()
      const bytesBefore = req.socket.bytesWritten
      res.once('close', () => {
        logRequest(log, {
          ...{ context, method: req.method ?? 'GET', path: pathOf(req) },
          ms: performance.now() - began,
          ...responseEnd(res),
          bytes: res.statusCode === 101 ? req.socket.bytesWritten - bytesBefore : res.bodyBytes,
        })
      })
      return context
    },
  }
}

/** The edge has no receiver of traces, so the request has no context yet. */
function giveContext(req: IncomingMessage): RequestContext {
  const context = readRequestContext(req)
  passOn(context, req)
  return context
}

function pathOf({ url = '/' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? '/'
}
