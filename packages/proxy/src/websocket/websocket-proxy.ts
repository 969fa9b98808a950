import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { Exchange } from '../exchange.ts'
import { answerWith } from '../hooks.ts'
import { ProxyError } from '../options.ts'
import { problem } from '../problem.ts'
import { createSettings, type ProxyOptions } from '../settings.ts'
import { checkHandshake, respondToUpgrade } from './handshake.ts'
import { Upgrade } from './upgrade.ts'

/** RFC 6455 7.4.1 and the IANA registry: the endpoint goes away, and the service restarts. */
const GOING_AWAY = 1_001
const SERVICE_RESTART = 1_012

const closeIdle = (upgrade: Upgrade): void => upgrade.close(GOING_AWAY)

export interface WebSocketOptions {
  /** The longest silence in both directions, in ms; 120 s by default. Pings end it. */
  idleMs?: number
}

export interface WebSocketProxy<Context> {
  /** The number of open WebSockets. */
  readonly open: number
  /**
   * Handles the event `upgrade` of a server. `context` is passed to the hooks. `res` is the result of
   * `respondToUpgrade` for this socket, if the application has called it.
   */
  handleUpgrade(
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    context: Context,
    res?: ServerResponse,
  ): void
  /** Closes all WebSockets with code 1012, also those that open later. Each call resolves when all are closed. */
  drain(): Promise<void>
}

/**
 * Creates a proxy of WebSockets, for the event `upgrade` of a node:http server. A handshake is
 * checked, and passes the same hooks as a request of `createProxy`. A WebSocket uses a slot of a
 * stream. After the instance has accepted, bytes pass unchanged in both directions.
 *
 * @throws ProxyError `bad-option`
 */
export function createWebSocketProxy<Context = void>(
  options: ProxyOptions<Context> & WebSocketOptions,
): WebSocketProxy<Context> {
  const settings = createSettings(options)
  const { idleMs = 120_000 } = options
  if (!Number.isInteger(idleMs) || idleMs < 1 || idleMs > 2 ** 31 - 1) {
    throw new ProxyError('idleMs must be a whole number from 1 to 2147483647')
  }
  const upgrades = new Set<Upgrade>()
  let isDraining = false
  const drained = Promise.withResolvers<void>()

  function add(upgrade: Upgrade): void {
    upgrades.add(upgrade)
    if (isDraining) upgrade.close(SERVICE_RESTART)
  }

  function remove(upgrade: Upgrade): void {
    upgrades.delete(upgrade)
    if (isDraining && upgrades.size === 0) drained.resolve()
  }

  return {
    get open() {
      return upgrades.size
    },
    handleUpgrade(req, socket, head, context, res = respondToUpgrade(req, socket)) {
      const refusal = checkHandshake(req)
      if (refusal) {
        if (refusal === 'bad_websocket_version') res.setHeader('Sec-WebSocket-Version', '13')
        return answerWith(settings.onProblem, req, res, problem(refusal))
      }
      const hooks = { onOpen: add, onIdle: closeIdle, onClose: remove }
      const upgrade = new Upgrade({ req, res, socket, head, idleMs, ...hooks })
      new Exchange(settings, req, res, context, upgrade).start()
    },
    drain() {
      isDraining = true
      for (const upgrade of upgrades) upgrade.close(SERVICE_RESTART)
      if (upgrades.size === 0) drained.resolve()
      return drained.promise
    },
  }
}
