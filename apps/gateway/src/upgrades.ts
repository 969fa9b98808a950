import { findPathFault, isWebSocketUpgrade, respondToUpgrade } from '@repo/proxy'
import { pathOf, type UpgradeHandler } from '@repo/service'
import type { Gateway } from './gateway.ts'
import type { Routes } from './routing/routes.ts'

/**
 * Serves the WebSockets of the routes that have them. A handshake runs the stages of its route like
 * every other request, and a refusal is a problem response. On other routes it is a plain request.
 *
 * @param end ends the open WebSockets
 */
export function createUpgrades(
  routes: Routes,
  gateway: Gateway,
  end: () => unknown,
): UpgradeHandler {
  return {
    accepts(req) {
      if (req.method !== 'GET' || !isWebSocketUpgrade(req)) return false
      if (findPathFault(req.url ?? '/')) return false
      return routes.table.match('GET', pathOf(req))?.websocket === true
    },
    serve: (req, res, socket, head) =>
      gateway(req, respondToUpgrade(req, socket, res), { socket, head }),
    end,
  }
}
