import {
  createGuard,
  type Dimensions,
  type Guarded,
  parsePolicies,
  type Policy,
  type RateLimiter,
} from '@repo/ratelimit'
import { problemInstance } from '@repo/service'
import { z } from 'zod'
import { under } from '../path.ts'

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

/** A path, all below it included, and what its requests are limited by: the first that fits counts. */
type LimitedRoute = z.infer<typeof route>

export interface Limits {
  policies: Policy[]
  routes: LimitedRoute[]
}

export type ParsedLimits =
  | { outcome: 'valid'; limits: Limits }
  | { outcome: 'invalid'; faults: string[] }

/** Reads limits from a file's text or from JSON: every fault at once, or all of them. */
export function parseLimits(source: unknown): ParsedLimits {
  const json = typeof source === 'string' ? readJson(source) : source
  if (json === undefined) return { outcome: 'invalid', faults: ['is not JSON'] }
  const parsed = file.safeParse(json)
  const faults = (parsed.error?.issues ?? []).map(({ path, message }) =>
    path.length === 0 ? message : `${nameOf(path)}: ${message}`,
  )
  const given: unknown =
    typeof json === 'object' && json !== null ? Reflect.get(json, 'policies') : []
  const policies = parsePolicies(given)
  if (policies.outcome === 'invalid') faults.push(...policies.faults)
  if (parsed.success && policies.outcome === 'valid') {
    const known = new Set(policies.policies.map(({ name }) => name))
    for (const [i, { policies: names }] of parsed.data.routes.entries()) {
      for (const name of names) {
        if (!known.has(name)) faults.push(`routes[${i}]: there is no policy "${name}"`)
      }
    }
    if (faults.length === 0) {
      const limits = { policies: policies.policies, routes: parsed.data.routes }
      return { outcome: 'valid', limits }
    }
  }
  return { outcome: 'invalid', faults }
}

/** Limits as a file has them: JSON knows no Infinity. */
export function writeLimits({ policies, routes }: Limits) {
  const written = policies.map((policy) =>
    policy.quota === Number.POSITIVE_INFINITY ? { ...policy, quota: 'unlimited' as const } : policy,
  )
  return { policies: written, routes }
}

/** What decides of each request; replaced as a whole. */
export type LimitRequest = (
  method: string,
  path: string,
  dimensions: Dimensions,
) => Promise<Guarded> | undefined

/** Puts limits in force: from the next request on. */
export function enforce(limiter: RateLimiter, { policies, routes }: Limits): LimitRequest {
  limiter.setPolicies(policies)
  const guarded = routes.map((each) => ({
    ...each,
    guard: createGuard({ limiter, policies: each.policies, problemInstance }),
  }))
  return (method, path, dimensions) =>
    guarded
      .find(({ path: prefix, methods }) => {
        return under(prefix, path) && (!methods || methods.some((each) => each === method))
      })
      ?.guard(dimensions)
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // said by the caller, as the one fault
  }
}

function nameOf(path: PropertyKey[]): string {
  return path.reduce<string>((name, part) => {
    return typeof part === 'number'
      ? `${name}[${part}]`
      : [name, String(part)].filter(Boolean).join('.')
  }, '')
}
