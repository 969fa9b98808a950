import { isUnder } from '../path.ts'
import type { Route } from '../routing/route.ts'

/** The place of a limit. */
interface Rule {
  path: string
  methods?: readonly string[] | undefined
}

/**
 * The faults of limits that no request can meet: a path at which no service and no endpoint is, and
 * a method that no route at or below the path has. Stored limits are not checked, because another
 * release may have more routes.
 */
export function findUnreachable(rules: readonly Rule[], routes: readonly Route[]): string[] {
  const candidates = routes.filter(({ match, allow }) => match !== '/*' && allow === undefined)
  return rules.flatMap(({ path, methods = [] }, i) => {
    const below = candidates.filter(({ match }) => overlaps(match, path))
    if (below.length === 0) return [`routes[${i}]: there is no route at or below "${path}"`]
    return methods
      .filter((method) => method !== 'OPTIONS' && !below.some((route) => accepts(route, method)))
      .map((method) => `routes[${i}]: no route at or below "${path}" has the method ${method}`)
  })
}

function accepts({ methods }: Route, method: string): boolean {
  return methods?.includes(method) ?? true
}

/** Whether a request of the route can have the prefix. */
function overlaps(match: string, prefix: string): boolean {
  if (match.endsWith('/*')) {
    const star = match.slice(0, -2)
    return isUnder(star, prefix) || isUnder(prefix, star)
  }
  const segments = match.split('/')
  return prefix
    .split('/')
    .every((segment, i) => segments[i] === segment || segments[i]?.startsWith('{'))
}
