import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  createSampler,
  endRequestSpan,
  inRequest,
  passOn,
  readRequestContext,
  TRACE_KEY_HEADER,
  type Traces,
} from '@repo/observability'
import { responseEnd } from '@repo/service/http-server'
import { openTraces, readTraceEnv, sampleRateOf } from '@repo/service/traces'

interface EdgeTraces {
  figures: Traces['figures']
  /**
   * Serves a request in its trace, which ends with the response or the connection. Without a receiver
   * of traces, the request is served unchanged.
   */
  serve(
    req: IncomingMessage,
    res: ServerResponse,
    template: string | undefined,
    serve: () => void,
  ): void
  close(): Promise<unknown>
}

/**
 * Creates the traces of the edge. Requests enter the system here, so the edge decides which ones are
 * recorded. Web and the gateway preserve its decision, because it sends `TRACE_SECRET`.
 */
export async function createEdgeTraces(instance: string): Promise<EdgeTraces> {
  const env = readTraceEnv()
  const version = process.env['APP_VERSION'] ?? 'dev'
  const traces = await openTraces({ env, app: 'edge', instance, version })
  const sample = createSampler(sampleRateOf(env))
  const { TRACE_SECRET: key } = env

  return {
    figures: traces?.figures ?? [],
    serve(req, res, template, serve) {
      if (!traces) return serve()
      const context = readRequestContext(req, sample)
      passOn(context, req)
      if (key !== undefined) req.rawHeaders.push(TRACE_KEY_HEADER, key)
      if (template !== undefined) context.route = template
      traces.begin(context)
      if (context.span) {
        const method = req.method ?? 'GET'
        res.once('close', () => endRequestSpan(context, { method, ...responseEnd(res) }))
      }
      inRequest(context, serve)
    },
    close: async () => traces?.close(),
  }
}
