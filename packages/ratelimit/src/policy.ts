import { z } from 'zod'

/** The most that a quota or a cost can be: a sub-window's count takes three bytes. */
export const MAX_QUOTA = 16_777_215
/** About 46 days: the script tells times in four bytes. */
const MAX_WINDOW_MS = 4_000_000_000

const name = z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/, {
  error: 'must be 1-64 lower case letters, digits, _ . or -, and begin with a letter or digit',
})
/** Policies are stored as JSON in PostgreSQL, which keeps neither NUL nor a lone surrogate. */
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

/** The most policies that a limiter has. */
const MAX_POLICIES = 1_000

const policies = z.array(policy).superRefine((all, context) => {
  const seen = new Set<string>()
  for (const [i, each] of all.entries()) {
    const message = `"${each.name}" is the name of an earlier policy`
    if (seen.has(each.name)) context.addIssue({ code: 'custom', path: [i, 'name'], message })
    seen.add(each.name)
  }
})

/** A policy as it is written, in a file or in code: what has a default may be left out. */
export type PolicyInput = z.input<typeof policy>

/**
 * One limit, as data.
 * - `quota` units per `windowMs`; 0 refuses all, Infinity (`"unlimited"` in JSON) allows all.
 * - `by` names the dimensions that identify who is counted; none counts everybody together.
 * - `algorithm`: `sliding` admits at most `quota` in any rolling window; `token-bucket` (GCRA)
 *   admits `quota` at once and refills evenly; `fixed` counts per window of the clock;
 *   `concurrency` admits `quota` at a time, and `windowMs` is the lease of a holder that died.
 * - `cost` of a take that names none; `onUnavailable` when Redis does not answer.
 * - `shadow` counts and reports, and refuses nobody.
 * - `allow` and `deny` list identifiers that are never and always refused.
 * - `lease`: of a key that is hot an instance takes up to `units` at once, and admits them by itself
 *   within `ms`. No window holds more than the quota for that: what is taken counts for `ms` longer.
 */
export type Policy = Readonly<z.output<typeof policy>>

/** How long what is taken is counted: what was leased may be admitted that much later. */
export function countedMs({ windowMs, lease }: Policy): number {
  return lease ? windowMs + lease.ms : windowMs
}

/** Every fault at once, or the policies with their defaults. */
export type ParsedPolicies =
  | { outcome: 'valid'; policies: Policy[] }
  | { outcome: 'invalid'; faults: string[] }

/** Reads policies from a file's text, from parsed JSON or from code. Never throws. */
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
    const named: unknown = Array.isArray(json) ? json[index]?.name : undefined
    const of =
      typeof named === 'string'
        ? `policies[${index}] "${named.slice(0, 64)}"`
        : `policies[${index}]`
    return rest.length > 0 ? `${of}, ${rest.join('.')}: ${message}` : `${of}: ${message}`
  })
  return { outcome: 'invalid', faults }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // said by the caller, as the one fault
  }
}
