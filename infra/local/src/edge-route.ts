import { createRouteTable, findPathFault, type PathRule } from '@repo/proxy'
import type { Service } from '@repo/services'

/** Where the edge sends a request, and the place in its table; undefined for a path without a place. */
export type EdgeRoute =
  | { readonly to: 'gateway'; readonly match: string }
  | { readonly to: 'web'; readonly match: string }
  | { readonly to: 'edge'; readonly match: string }
  | { readonly to: 'nowhere'; readonly match?: undefined }
  | { readonly to: 'refused'; readonly match?: undefined; readonly rule: PathRule }

/** Answers 200 while the edge accepts requests. */
const EDGE_READY = '/.edge/readyz'
/**
 * Paths of the instances that the edge never forwards, in every spelling that a router could read as one
 * of them.
 */
const PRIVATE = /^\/(metrics|livez|readyz|health)\/?$/i
const LONGEST_PRIVATE = '/metrics/'.length

/**
 * Returns a function that decides about a request target: the paths of the gateway in the list of
 * services go to the gateway, and all others to web. A path that the gateway or web could read as
 * another one is refused.
 */
export function createEdgeRoutes(services: readonly Service[]): (target: string) => EdgeRoute {
  const toGateway = services.filter(({ role }) => role === 'gateway').flatMap(({ paths }) => paths)
  const web: EdgeRoute = { to: 'web', match: '/*' }
  const nowhere: EdgeRoute = { to: 'nowhere' }
  const table = createRouteTable<EdgeRoute>([
    { path: EDGE_READY, route: { to: 'edge', match: EDGE_READY } },
    ...toGateway.map((path) => ({
      path: `${path}/*`,
      route: { to: 'gateway', match: `${path}/*` } as const,
    })),
  ])
  return (target) => {
    const rule = findPathFault(target)
    if (rule) return { to: 'refused', rule }
    const query = target.indexOf('?')
    const path = query === -1 ? target : target.slice(0, query)
    if (path.length <= LONGEST_PRIVATE && PRIVATE.test(path)) return nowhere
    return table.match('GET', path) ?? web
  }
}
