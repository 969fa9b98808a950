import type { Endpoint } from '@repo/api/endpoints'
import { createRouteTable, type RouteEntry, type RouteTable } from '@repo/proxy'
import { isSafeMethod } from '@repo/service'
import { isUnder } from '../path.ts'
import type { Route, StageName } from './route.ts'

/** The limit of a body without a limit in its endpoint. */
const MAX_BODY_BYTES = 1_048_576

/** A service behind the gateway. */
export interface ServiceEntry {
  readonly name: string
  readonly paths: readonly string[]
  /** `open`: the service authenticates callers. `signed-in`: the gateway refuses all others. */
  readonly access: 'open' | 'signed-in'
}

export interface Routes {
  /** Every route, in the order of `index`. */
  readonly all: readonly Route[]
  readonly table: RouteTable<Route>
  /** The route of a path, although no service and no endpoint has it. */
  readonly unknown: Route
}

/** The gateway's own paths, as a service. */
const OWN: ServiceEntry = { name: '', paths: [], access: 'open' }

/**
 * Compiles the services and the endpoints of the contract into the table of all routes. A path
 * under a prefix of a service without an endpoint has the default route of the service, and every
 * other path the default route of the gateway, which is 404.
 */
export function createRoutes(
  services: readonly ServiceEntry[],
  endpoints: readonly Endpoint[],
): Routes {
  const all: Route[] = []

  function add(route: Omit<Route, 'index' | 'stages'>): Route {
    requireOwnerOfKeys(route)
    const added = { ...route, index: all.length, stages: stagesOf(route) }
    all.push(added)
    return added
  }

  const serviceOf = (path: string) =>
    services.find(({ paths }) => paths.some((prefix) => isUnder(prefix, path))) ?? OWN

  const unknown = add({ ...defaultsOf(OWN), match: '/*' })
  const entries: RouteEntry<Route>[] = [{ path: '/*', route: unknown }]
  for (const service of services) {
    for (const path of service.paths) {
      const match = `${path}/*`
      entries.push({ path: match, route: add({ ...defaultsOf(service), match }) })
    }
  }
  for (const endpoint of endpoints) {
    const { method, path } = endpoint
    entries.push({ path, method, route: add(routeOf(endpoint, serviceOf(path))) })
  }
  const table = createRouteTable(entries, (match, allow) =>
    add({ ...defaultsOf(serviceOf(match)), match, allow }),
  )
  return { all, table, unknown }
}

function defaultsOf({ name, access }: ServiceEntry): Omit<Route, 'index' | 'stages' | 'match'> {
  const isOwn = name === OWN.name
  return {
    methods: undefined,
    upstream: isOwn ? undefined : name,
    bodyLimitBytes: MAX_BODY_BYTES,
    deadlineMs: undefined,
    auth: isOwn ? 'checked' : access === 'open' ? 'open' : 'required',
    scope: undefined,
    idempotency: 'none',
    exactlyOnce: false,
    websocket: false,
    allow: undefined,
  }
}

function routeOf(endpoint: Endpoint, service: ServiceEntry): Omit<Route, 'index' | 'stages'> {
  const defaults = defaultsOf(service)
  const { method, path, bodyLimitBytes = MAX_BODY_BYTES, deadlineMs } = endpoint
  return {
    ...defaults,
    match: path,
    methods: method === 'GET' ? ['GET', 'HEAD'] : [method],
    bodyLimitBytes,
    deadlineMs,
    auth: defaults.upstream === undefined && endpoint.auth === 'open' ? 'open' : defaults.auth,
    scope: endpoint.scope,
    idempotency: endpoint.idempotency ?? 'none',
    exactlyOnce: endpoint.exactlyOnce === true,
    websocket: defaults.upstream !== undefined && endpoint.websocket === true,
  }
}

/**
 * A key belongs to a user, and a response of the gateway itself is not stored.
 *
 * @throws Error for a route with keys that no user owns
 */
function requireOwnerOfKeys({
  match,
  upstream,
  auth,
  idempotency,
  exactlyOnce,
}: Omit<Route, 'index' | 'stages'>): void {
  if (idempotency === 'none' && !exactlyOnce) return
  const route = `the endpoint ${match}`
  if (idempotency === 'none') throw new Error(`${route} has exactlyOnce, which needs idempotency`)
  if (upstream === undefined || auth !== 'required') {
    throw new Error(`${route} has idempotency, which needs a service with access: signed-in`)
  }
}

/** A stage that has no effect on a route is not in its list. */
function stagesOf({
  methods,
  upstream,
  auth,
  idempotency,
  websocket,
  allow,
}: Omit<Route, 'index' | 'stages'>): StageName[] {
  const onlyReads = methods?.every((method) => isSafeMethod(method)) ?? false
  const canPost = methods?.includes('POST') ?? true
  const isForgeable = !onlyReads || websocket
  const stages: StageName[] = isForgeable ? ['check-source', 'enrich'] : ['enrich']
  // An open service gets no request with an API key, which only this stage reads.
  const readsKey = auth !== 'open' || !onlyReads || upstream !== undefined
  if (readsKey) stages.push('authenticate')
  stages.push('limit')
  if (readsKey) stages.push('refuse-key')
  if (allow !== undefined) return [...stages, 'refuse-method']
  if (upstream === undefined) return [...stages, 'serve']
  if (auth === 'required') stages.push('require-session')
  if (upstream === 'payments' && canPost) stages.push('check-feature')
  if (idempotency !== 'none') stages.push('idempotency')
  return [...stages, 'forward']
}
