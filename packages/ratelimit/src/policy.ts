import { z } from 'zod'

/** The largest quota and cost: the count of a sub-window has three bytes. */
export const MAX_QUOTA = 16_777_215
/** About 46 days: a time in the reply of the script has four bytes. */
const MAX_WINDOW_MS = 4_000_000_000

const name = z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/, {
  error: 'must be 1-64 lower case letters, digits, _ . or -, and begin with a letter or digit',
})
/** Apps store policies as JSON in PostgreSQL, which accepts neither NUL nor a lone surrogate. */
const storable = z.string().refine((value) => value.isWellFormed() && !value.includes('\0'), {
  error: 'must not contain a NUL or a lone surrogate',
})
const dimension = storable.min(1).max(64)
const identifiers = z.array(storable).max(10_000).default([])

const fields = z.strictObject({
  name,
  quota: z
    .union(
      [z.int().min(0).max(MAX_QUOTA), z.literal(Number.POSITIVE_INFINITY), z.literal('unlimited')],
      {
        error: `must be an integer from 0 (blocked) to ${MAX_QUOTA}, or "unlimited"`,
      },
    )
    .transform((quota) => (quota === 'unlimited' ? Number.POSITIVE_INFINITY : quota)),
  windowMs: z.int().min(100).max(MAX_WINDOW_MS),
  by: z
    .union([dimension, z.array(dimension).max(8)], {
      error: 'must be the name of a dimension or a list of at most 8 of them',
    })
    .transform((by) => (typeof by === 'string' ? [by] : by)),
  algorithm: z.enum(['sliding', 'token-bucket', 'fixed', 'concurrency']).default('sliding'),
  cost: z.int().min(0).max(MAX_QUOTA).default(1),
  onUnavailable: z.enum(['local', 'allow', 'deny']).default('local'),
  shadow: z.boolean().default(false),
  allow: identifiers,
  deny: identifiers,
  lease: z
    .strictObject({ units: z.int().min(2).max(MAX_QUOTA), ms: z.int().min(10).max(60_000) })
    .optional(),
})

const policy = fields.superRefine(({ lease, algorithm, shadow, windowMs, quota }, context) => {
  const message =
    lease && (algorithm !== 'sliding' || shadow)
      ? 'is only for sliding windows that are no shadow'
      : lease && (lease.ms > windowMs || lease.units > quota)
        ? 'must be at most the window and the quota'
        : undefined
  if (message) context.addIssue({ code: 'custom', path: ['lease'], message })
})

/** The number of policies of a limiter, at most. */
const MAX_POLICIES = 1_000

const policies = z.array(policy).superRefine((all, context) => {
  const seen = new Set<string>()
  for (const [i, { name: policyName }] of all.entries()) {
    const message = `"${policyName}" is the name of an earlier policy`
    if (seen.has(policyName)) context.addIssue({ code: 'custom', path: [i, 'name'], message })
    seen.add(policyName)
  }
})

/** A policy in a file or in code. Fields with a default are optional. */
export type PolicyInput = z.input<typeof policy>

/**
 * One limit, as data.
 * - `quota` units per `windowMs`; 0 refuses all, Infinity (`"unlimited"` in JSON) allows all.
 * - `by` names the dimensions that are counted; without any, all requests are counted together.
 * - `algorithm`: `sliding` admits at most `quota` in any rolling window; `token-bucket` (GCRA)
 *   admits `quota` at once and refills evenly; `fixed` counts per window of the clock;
 *   `concurrency` admits `quota` at a time, and `windowMs` is the lease of a holder.
 * - `cost` is the cost of a take that names none.
 * - `onUnavailable` decides when Redis is unavailable.
 * - `shadow` counts and reports, and refuses no request.
 * - `allow` and `deny` list identifiers that are never and always refused.
 * - `lease`: an instance reserves a block of up to `units` of a hot key, and admits them without Redis
 *   within `ms`. A unit then counts for `ms` longer, so that no window holds more than the quota (R11).
 */
export type Policy = Readonly<z.output<typeof policy>>

/** The ms for which a unit counts. A unit of a block may be admitted `lease.ms` later (R11). */
export function countedMs({ windowMs, lease }: Policy): number {
  return lease ? windowMs + lease.ms : windowMs
}

/** The policies with their defaults, or all faults (R9). */
export type ParsedPolicies =
  | { outcome: 'valid'; policies: Policy[] }
  | { outcome: 'invalid'; faults: string[] }

/** Parses policies from the text of a file, from parsed JSON or from code. Never throws. */
export function parsePolicies(source: unknown): ParsedPolicies {
  try {
    return parse(source)
  } catch {
    return { outcome: 'invalid', faults: ['policies: cannot be read'] }
  }
}

function parse(source: unknown): ParsedPolicies {
  const json = typeof source === 'string' ? readJson(source) : source
  if (json === undefined) return { outcome: 'invalid', faults: ['policies: is not JSON'] }
  if (Array.isArray(json) && json.length > MAX_POLICIES) {
    return { outcome: 'invalid', faults: [`policies: more than ${MAX_POLICIES}`] }
  }
  const parsed = policies.safeParse(json)
  if (parsed.success) return { outcome: 'valid', policies: parsed.data }
  const faults = parsed.error.issues.map(({ path, message }) => {
    const [index, ...rest] = path
    if (typeof index !== 'number') return `policies: ${message}`
    const given: unknown = Array.isArray(json) ? json[index]?.name : undefined
    const label =
      typeof given === 'string'
        ? `policies[${index}] "${given.slice(0, 64)}"`
        : `policies[${index}]`
    return rest.length > 0 ? `${label}, ${rest.join('.')}: ${message}` : `${label}: ${message}`
  })
  return { outcome: 'invalid', faults }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the caller reports it as the only fault
  }
}
