import type { IncomingMessage, ServerResponse } from 'node:http'
import { Exchange } from './exchange.ts'
import { addForwarded, type Forwarded, forwardedNames } from './forwarded.ts'
import { answerWith, catchRejection } from './hooks.ts'
import { readOptions, requireProxyOptions } from './options.ts'
import { answerProblem, problem, type ProxyProblem, toError } from './problem.ts'
import {
  areWritable,
  hasBody,
  hopByHopAnd,
  namesToDrop,
  type RawHeaders,
  withoutHeaders,
} from './raw-headers.ts'
import { discardRest } from './request-body.ts'
import type { PickContext, Upstream } from './upstream/upstream.ts'

export interface ProxyOptions<Context> {
  /** The upstream of a request. A function that returns undefined leads to `no_instance`. */
  upstream: Upstream | ((req: IncomingMessage, context: Context) => Upstream | undefined)
  /** The handling of received X-Forwarded headers; `set` by default. */
  forwarded?: Forwarded
  /** Request headers of the sender that are dropped, such as the identity that a hook adds. */
  dropRequestHeaders?: readonly string[]
  /** The group of instances of a request, or a key that keeps its user in one group. */
  pickContext?: (req: IncomingMessage, context: Context) => PickContext | undefined
  /** Changes the request headers in place, after dropping and forwarding. */
  requestHeaders?: (headers: RawHeaders, req: IncomingMessage, context: Context) => void
  /** Changes the response headers in place, before they are sent. */
  responseHeaders?: (
    headers: RawHeaders,
    req: IncomingMessage,
    context: Context,
    statusCode: number,
  ) => void
  /** Writes a response of the proxy itself. No response has begun when it is called. */
  onProblem?: (req: IncomingMessage, res: ServerResponse, problem: ProxyProblem) => void
  maxBodyBytes?: number
  /** The number of further instances that are tried. */
  retries?: number
}

/** Handles one request. `context` is passed to the hooks, for example the user. */
export type ProxyHandler<Context> = (
  req: IncomingMessage,
  res: ServerResponse,
  context: Context,
) => void

/**
 * Creates a streaming reverse proxy for a node:http server. A request that reached an instance is
 * sent to another one only if its method is idempotent and none of its body was read. A response that
 * breaks off also breaks off for the client. Headers, with the Host, are forwarded unchanged, except
 * those of RFC 9110 7.6.1.
 *
 * @throws ProxyError `bad-option`
 */
export function createProxy<Context = void>(
  proxyOptions: ProxyOptions<Context>,
): ProxyHandler<Context> {
  const options = readOptions(proxyOptions)
  requireProxyOptions(options)
  const { upstream, forwarded = 'set', dropRequestHeaders = [] } = options
  const { pickContext, requestHeaders, responseHeaders, onProblem = answerProblem } = options
  const { maxBodyBytes = Infinity, retries = 2 } = options
  const dropped = hopByHopAnd([
    ...dropRequestHeaders,
    ...(forwarded === 'set' ? forwardedNames : []),
  ])

  return (req, res, context) => {
    function refuse(found: ProxyProblem): void {
      discardRest(req)
      answerWith(onProblem, req, res, found)
    }

    // Hooks must be synchronous, but a hook can be an async function.
    const breakOff = () => res.destroy()

    function forward(): void {
      // An absolute-form target (RFC 9112 3.2.2) names a host that the route does not consider.
      const path = req.url
      if (!path?.startsWith('/')) return refuse(problem('bad_request'))
      if (Number(req.headers['content-length']) > maxBodyBytes) {
        return refuse(problem('body_too_large'))
      }
      const chosen = typeof upstream === 'function' ? upstream(req, context) : upstream
      if (!chosen) return refuse(problem('no_instance'))

      const headers = withoutHeaders(req.rawHeaders, namesToDrop(req.headers.connection, dropped))
      addForwarded(headers, req, forwarded)
      if (requestHeaders) catchRejection(requestHeaders(headers, req, context), breakOff)
      new Exchange({
        req,
        res,
        upstream: chosen,
        pickContext: pickContext?.(req, context),
        path,
        headers,
        hasBody: hasBody(req),
        maxBodyBytes,
        retries,
        onResponseHeaders(raw, statusCode) {
          const result: unknown = responseHeaders?.(raw, req, context, statusCode)
          catchRejection(result, breakOff)
        },
        // Node's parser accepted the headers of the client, so a hook added the one that undici refuses.
        onProblem: (found) =>
          refuse(
            found.code === 'bad_request' && !areWritable(headers)
              ? problem('internal', found.cause)
              : found,
          ),
      }).start()
    }

    try {
      forward()
    } catch (error) {
      // A hook threw an error: this is no fault of the client or of an instance.
      refuse(problem('internal', toError(error)))
    }
  }
}
