import type { IncomingMessage, ServerResponse } from 'node:http'
import { Exchange } from './exchange.ts'
import { createSettings, type ProxyOptions } from './settings.ts'

/** Handles one request. `context` is passed to the hooks, for example the user. */
export type ProxyHandler<Context> = (
  req: IncomingMessage,
  res: ServerResponse,
  context: Context,
) => void

/**
 * Creates a reverse proxy for a node:http server. A request that reached an instance is sent to
 * another one only if it can run twice and its whole body is in memory. A response that breaks off
 * also breaks off for the client. Headers, with the Host, are forwarded unchanged, except those of
 * RFC 9110 7.6.1.
 *
 * @throws ProxyError `bad-option`
 */
export function createProxy<Context = void>(options: ProxyOptions<Context>): ProxyHandler<Context> {
  const settings = createSettings(options)
  return (req, res, context) => new Exchange(settings, req, res, context).start()
}
