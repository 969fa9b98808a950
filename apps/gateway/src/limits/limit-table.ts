import { createGuard, type Guard, type RateLimiter } from '@repo/ratelimit'
import { problemInstance } from '@repo/service'
import type { Route } from '../routing/route.ts'
import type { LimitedRoute, Limits } from './limits.ts'

/** The limits of a request, and the dimensions that its policies count by. */
export interface RequestLimit {
  readonly guard: Guard
  readonly policies: readonly string[]
  readonly dimensions: ReadonlySet<string>
  /** Whether a decision holds slots, which must be released. */
  readonly holdsSlots: boolean
}

export interface LimitTable {
  /** The limits of a request; undefined if none applies. */
  find(route: Route, method: string, path: string): RequestLimit | undefined
}

interface Rule {
  readonly methods: readonly string[] | undefined
  readonly limit: RequestLimit
}

/** The rules of the paths below a prefix, with those of every shorter prefix. */
interface Node {
  readonly children: Map<string, Node>
  rules: { at: number; rule: Rule }[]
  readonly byMethod: Map<string, RequestLimit | undefined>
  otherwise: RequestLimit | undefined
}

/**
 * Compiles one version of the limits to a look-up by route. The first rule with a prefix of the path
 * and the method applies. Only the requests of a route that several rules divide are found by their
 * path, with one look-up for each segment.
 */
export function createLimitTable({
  limiter,
  limits: { policies, routes: rules },
  routes,
}: {
  limiter: RateLimiter
  limits: Limits
  /** Every route, in the order of `index`. */
  routes: readonly Route[]
}): LimitTable {
  const root = createNode()
  for (const [at, rule] of rules.entries()) {
    const node = segmentsOf(rule.path).reduce((parent, segment) => childOf(parent, segment), root)
    node.rules.push({ at, rule: { methods: rule.methods, limit: toLimit(rule) } })
  }
  resolve(root, [])
  const fixed = routes.map(({ match }) => findFixed(root, match))

  function toLimit({ policies: names }: LimitedRoute): RequestLimit {
    const used = policies.filter(({ name }) => names.includes(name))
    return {
      guard: createGuard({ limiter, policies: names, problemInstance }),
      policies: names,
      dimensions: new Set(used.flatMap(({ by }) => by)),
      holdsSlots: used.some(({ algorithm }) => algorithm === 'concurrency'),
    }
  }

  return {
    find({ index }, method, path) {
      const { byMethod, otherwise } = fixed[index] ?? findByPath(root, path)
      return byMethod.has(method) ? byMethod.get(method) : otherwise
    },
  }
}

function createNode(): Node {
  return { children: new Map(), rules: [], byMethod: new Map(), otherwise: undefined }
}

function childOf(parent: Node, segment: string): Node {
  const child = parent.children.get(segment) ?? createNode()
  parent.children.set(segment, child)
  return child
}

function segmentsOf(path: string): string[] {
  return path.split('/').slice(1)
}

/** Decides once for each method which rule of a node is the first one. */
function resolve(node: Node, inherited: Node['rules']): void {
  const all = [...inherited, ...node.rules].toSorted((a, b) => a.at - b.at)
  const first = (method: string | undefined) =>
    all.find(({ rule: { methods } }) => !methods || (method && methods.includes(method)))?.rule
      .limit
  for (const method of all.flatMap(({ rule }) => rule.methods ?? [])) {
    node.byMethod.set(method, first(method))
  }
  node.otherwise = first(undefined)
  for (const child of node.children.values()) resolve(child, all)
}

/** The node of all paths of a route; undefined if the rules divide them. */
function findFixed(root: Node, match: string): Node | undefined {
  let node = root
  for (const segment of segmentsOf(match)) {
    if (node.children.size === 0) return node
    if (segment === '*' || segment.startsWith('{')) return undefined
    const child = node.children.get(segment)
    if (!child) return node
    node = child
  }
  return node
}

function findByPath(root: Node, path: string): Node {
  let node = root
  for (let from = 1; from <= path.length && node.children.size > 0;) {
    const slash = path.indexOf('/', from)
    const end = slash === -1 ? path.length : slash
    const child = node.children.get(path.slice(from, end))
    if (!child) break
    node = child
    from = end + 1
  }
  return node
}
