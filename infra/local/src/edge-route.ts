import { createRouteTable, findPathFault, type PathRule } from '@repo/proxy'
import type { Service } from '@repo/services'

/** Where the edge sends a request. */
export type EdgeRoute =
  | { readonly to: 'gateway' }
  | { readonly to: 'web' }
  | { readonly to: 'edge' }
  | { readonly to: 'nowhere' }
  | { readonly to: 'refused'; readonly rule: PathRule }

/** Answers 200 while the edge accepts requests. */
const EDGE_READY = '/.edge/readyz'
/** Paths of the instances that the edge never forwards. */
const PRIVATE = ['/metrics', '/livez', '/readyz', '/health']

/**
 * Returns a function that decides about a request target: the paths of the gateway in the list of
 * services go to the gateway, and all others to web. A path that the gateway or web could read as
 * another one is refused.
 */
export function createEdgeRoutes(services: readonly Service[]): (target: string) => EdgeRoute {
  const toGateway = services.filter(({ role }) => role === 'gateway').flatMap(({ paths }) => paths)
  const web: EdgeRoute = { to: 'web' }
  const table = createRouteTable<EdgeRoute>([
    { path: EDGE_READY, route: { to: 'edge' } },
    ...PRIVATE.map((path) => ({ path, route: { to: 'nowhere' } as const })),
    ...toGateway.map((path) => ({ path: `${path}/*`, route: { to: 'gateway' } as const })),
  ])
  return (target) => {
    const rule = findPathFault(target)
    if (rule) return { to: 'refused', rule }
    const query = target.indexOf('?')
    return table.match('GET', query === -1 ? target : target.slice(0, query)) ?? web
  }
}
