import { ProxyError } from '../options.ts'

/** A route and its place in the table. */
export interface RouteEntry<Route> {
  /**
   * `/api/payments`: this path. `/api/payments/{id}`: a path with any one segment in this place.
   * `/api/payments/*`: the path before the star, and every path below it, unless they have an entry.
   */
  path: string
  /** Every method that has no entry, by default. Not with a star. */
  method?: string | undefined
  route: Route
}

export interface RouteTable<Route> {
  /**
   * The route of a request; undefined if no entry matches its path.
   * @param path canonical (`findPathFault`), without its query
   */
  match(method: string, path: string): Route | undefined
}

interface Node<Route> {
  readonly children: Map<string, Node<Route>>
  /** The child for any segment. */
  any?: Node<Route>
  /** The name of the first parameter in this place, such as `{id}`. */
  anyName?: string
  methods?: Map<string, Route>
  /** The route of every other method. */
  otherwise?: Route
  /** The route of the paths below without an entry. */
  below?: Route
}

/**
 * Compiles entries into nested maps of segments: a match costs one look-up for each segment, and
 * compares the path with no entry. A fixed segment has precedence over a parameter, and every other
 * entry over a star. An entry for GET also matches HEAD. OPTIONS matches a star above before it is a
 * wrong method, because the service below the star answers it for all its paths.
 *
 * @param wrongMethod returns the route of a path for the methods that it does not have; `allow` is
 * the value of `Allow`. Without it, such a request has the route of the star above.
 * @throws ProxyError `bad-option` for two entries with the same path and method, or a malformed path
 */
export function createRouteTable<Route>(
  entries: readonly RouteEntry<Route>[],
  wrongMethod?: (path: string, allow: string) => Route,
): RouteTable<Route> {
  const root: Node<Route> = { children: new Map() }
  for (const entry of entries) addEntry(root, entry)
  finish(root, '', wrongMethod)

  return {
    match(method, path) {
      const node = findNode(root, path, 1)
      const route = node?.methods?.get(method)
      if (route !== undefined) return route
      if (node?.otherwise === undefined) return findBelow(root, path)
      return (method === 'OPTIONS' ? findBelow(root, path) : undefined) ?? node.otherwise
    },
  }
}

function addEntry<Route>(root: Node<Route>, { path, method, route }: RouteEntry<Route>): void {
  const isStar = path.endsWith('/*')
  const isWellFormed = /^(\/([\w.~-]+|\{\w+\}))*(\/\*)?$/.test(path) && path !== ''
  if (!isWellFormed || (isStar && (method !== undefined || path.includes('{')))) {
    throw new ProxyError(
      `the route ${path} must be a path, with {parameters} or with a star at its end`,
    )
  }
  let node = root
  const segments = path.split('/').slice(1, isStar ? -1 : undefined)
  for (const segment of segments) {
    const isParameter = segment.startsWith('{')
    const next = (isParameter ? node.any : node.children.get(segment)) ?? { children: new Map() }
    if (isParameter) {
      node.any = next
      node.anyName ??= segment
    } else node.children.set(segment, next)
    node = next
  }
  const present = isStar ? node.below : method ? node.methods?.get(method) : node.otherwise
  if (present !== undefined) {
    throw new ProxyError(`the route ${method ? `${method} ` : ''}${path} must be in the list once`)
  }
  if (isStar) {
    node.below = route
    return
  }
  node.methods ??= new Map()
  if (method) node.methods.set(method, route)
  else node.otherwise = route
}

/** Adds HEAD to GET, and the routes of wrong methods. */
function finish<Route>(
  node: Node<Route>,
  path: string,
  wrongMethod: ((path: string, allow: string) => Route) | undefined,
): void {
  const { methods } = node
  const get = methods?.get('GET')
  if (get !== undefined && !methods?.has('HEAD')) methods?.set('HEAD', get)
  if (methods && methods.size > 0 && wrongMethod) {
    node.otherwise ??= wrongMethod(path, [...methods.keys()].toSorted().join(', '))
  }
  for (const [segment, child] of node.children) finish(child, `${path}/${segment}`, wrongMethod)
  if (node.any) finish(node.any, `${path}/${node.anyName}`, wrongMethod)
}

/** The node of the whole path, if it has entries. */
function findNode<Route>(node: Node<Route>, path: string, from: number): Node<Route> | undefined {
  if (from > path.length) return node.methods && node
  const slash = path.indexOf('/', from)
  const end = slash === -1 ? path.length : slash
  const child = node.children.get(path.slice(from, end))
  const found = child && findNode(child, path, end + 1)
  if (found || !node.any || end === from) return found
  return findNode(node.any, path, end + 1)
}

/** The route of the longest path with a star. */
function findBelow<Route>(root: Node<Route>, path: string): Route | undefined {
  let found = root.below
  let node: Node<Route> | undefined = root
  for (let from = 1; from <= path.length;) {
    const slash = path.indexOf('/', from)
    const end = slash === -1 ? path.length : slash
    node = node.children.get(path.slice(from, end))
    if (!node) break
    found = node.below ?? found
    from = end + 1
  }
  return found
}
