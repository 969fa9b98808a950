import { parsePolicies, type Policy } from '@repo/ratelimit'
import { z } from 'zod'
import type { Route } from '../routing/route.ts'
import { findUnreachable } from './reachable.ts'

const route = z.strictObject({
  path: z.string().regex(/^\/(api|\.well-known)(\/[\w.~-]+)*$/, {
    error: 'must be /api or /.well-known, or a path under one of them',
  }),
  methods: z
    .array(z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']))
    .min(1)
    .optional(),
  // Stored limits may name a policy twice, which releases before this one accepted.
  policies: z
    .array(z.string())
    .min(1)
    .transform((names) => [...new Set(names)]),
})

const file = z.strictObject({ policies: z.unknown(), routes: z.array(route).max(200) })

/** A path with everything below it, and the policies of its requests. The first match applies. */
export type LimitedRoute = z.infer<typeof route>

export interface Limits {
  policies: Policy[]
  routes: LimitedRoute[]
}

export type ParsedLimits =
  | { outcome: 'valid'; limits: Limits }
  | { outcome: 'invalid'; faults: string[] }

/**
 * Parses limits from the text of a file or from JSON. The result has all faults or the limits.
 * @param routes the routes that each limit must be able to meet; unchecked by default
 */
export function parseLimits(source: unknown, routes?: readonly Route[]): ParsedLimits {
  const json = typeof source === 'string' ? readJson(source) : source
  if (json === undefined) return { outcome: 'invalid', faults: ['is not JSON'] }
  const parsed = file.safeParse(json)
  const faults = (parsed.error?.issues ?? []).map(({ path, message }) =>
    path.length === 0 ? message : `${nameOf(path)}: ${message}`,
  )
  const policiesInput: unknown =
    typeof json === 'object' && json !== null ? Reflect.get(json, 'policies') : []
  const policies = parsePolicies(policiesInput)
  if (policies.outcome === 'invalid') faults.push(...policies.faults)
  if (parsed.success && policies.outcome === 'valid') {
    const names = new Set(policies.policies.map(({ name }) => name))
    for (const [i, { policies: policyNames }] of parsed.data.routes.entries()) {
      for (const name of policyNames) {
        if (!names.has(name)) faults.push(`routes[${i}]: there is no policy "${name}"`)
      }
    }
    const limits = { policies: policies.policies, routes: parsed.data.routes }
    if (routes) faults.push(...findUnreachable(limits.routes, routes))
    if (faults.length === 0) {
      return { outcome: 'valid', limits }
    }
  }
  return { outcome: 'invalid', faults }
}

/** Limits in the form of a file, because JSON has no Infinity. */
export function writeLimits({ policies, routes }: Limits) {
  const written = policies.map((policy) =>
    policy.quota === Number.POSITIVE_INFINITY ? { ...policy, quota: 'unlimited' as const } : policy,
  )
  return { policies: written, routes }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // reported by the caller as a fault
  }
}

function nameOf(path: PropertyKey[]): string {
  return path.reduce<string>((name, part) => {
    return typeof part === 'number'
      ? `${name}[${part}]`
      : [name, String(part)].filter(Boolean).join('.')
  }, '')
}
