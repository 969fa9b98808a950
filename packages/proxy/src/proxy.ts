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
import type { Upstream } from './upstream/upstream.ts'

export interface ProxyOptions<Context> {
  /** Where requests go; a function that finds nowhere leads to `no_instance`. */
  upstream: Upstream | ((req: IncomingMessage, context: Context) => Upstream | undefined)
  /** Whether the `X-Forwarded-*` of the sender are believed. */
  forwarded?: Forwarded
  /** Request headers that never pass from the sender, such as the identity that hooks add. */
  dropRequestHeaders?: readonly string[]
  /** Changes the request headers in place, after dropping and forwarding. */
  requestHeaders?: (headers: RawHeaders, req: IncomingMessage, context: Context) => void
  /** Changes the answer's headers in place, before they are sent. */
  responseHeaders?: (
    headers: RawHeaders,
    req: IncomingMessage,
    context: Context,
    statusCode: number,
  ) => void
  /** Renders what the proxy itself answers; nothing has been sent when it is called. */
  onProblem?: (req: IncomingMessage, res: ServerResponse, problem: ProxyProblem) => void
  maxBodyBytes?: number
  /** How many more instances may be tried. */
  retries?: number
}

/** Handles one request. `context` is whatever the hooks need to know about it, such as its user. */
export type ProxyHandler<Context> = (
  req: IncomingMessage,
  res: ServerResponse,
  context: Context,
) => void

/**
 * A streaming reverse proxy for a node:http server. A request that reached an instance is sent to
 * another only if its method is idempotent and nothing of its body was read, and an answer that
 * breaks off breaks off for the client too. Headers pass as written (RFC 9110 7.6.1 excepted), the
 * Host included.
 *
 * @throws ProxyError `bad-option`
 */
export function createProxy<Context = void>(
  proxyOptions: ProxyOptions<Context>,
): ProxyHandler<Context> {
  const options = readOptions(proxyOptions)
  requireProxyOptions(options)
  const { upstream, forwarded = 'set', dropRequestHeaders = [] } = options
  const { requestHeaders, responseHeaders, onProblem = answerProblem } = options
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

    // The hook is an async function, although hooks must be synchronous.
    const breakOff = () => res.destroy()

    function forward(): void {
      // An absolute-form target (RFC 9112 3.2.2) would name a host that no route was chosen for.
      const path = req.url
      if (!path?.startsWith('/')) return refuse(problem('bad_request'))
      if (Number(req.headers['content-length']) > maxBodyBytes) {
        return refuse(problem('body_too_large'))
      }
      const to = typeof upstream === 'function' ? upstream(req, context) : upstream
      if (!to) return refuse(problem('no_instance'))

      const headers = withoutHeaders(req.rawHeaders, namesToDrop(req.headers.connection, dropped))
      addForwarded(headers, req, forwarded)
      if (requestHeaders) catchRejection(requestHeaders(headers, req, context), breakOff)
      new Exchange({
        req,
        res,
        upstream: to,
        path,
        headers,
        hasBody: hasBody(req),
        maxBodyBytes,
        retries,
        onResponseHeaders(raw, statusCode) {
          const result: unknown = responseHeaders?.(raw, req, context, statusCode)
          catchRejection(result, breakOff)
        },
        // The headers of the client passed node's parser: what undici refuses, the hook has added.
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
      // A hook threw: that is no fault of the client or of an instance.
      refuse(problem('internal', toError(error)))
    }
  }
}
