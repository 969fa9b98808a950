import type { Check, Counts, Limit, Need } from './check.ts'
import { RateLimitError } from './errors.ts'
import { identify, keyPart } from './identify.ts'
import type { LimiterKeys } from './keys.ts'
import type { Subject, TakeOptions } from './limiter-api.ts'
import { MAX_QUOTA, type Policy } from './policy.ts'

/** A policy in force, with what is made of it once. */
interface Rule {
  readonly policy: Policy
  /** What the names of its subjects, and those of its counts, begin with. */
  readonly subjectPrefix: string
  readonly prefix: string
  /** Of a take that names none. */
  readonly cost: number
  readonly allow: ReadonlySet<string> | undefined
  readonly deny: ReadonlySet<string> | undefined
  readonly counts: Counts
  /** The last identifier and its need: a flood asks for the same again and again. */
  last: string | undefined
  lastNeed: Need | undefined
}

/** What a request needs of the store, and what is refused without asking it. */
export interface Plan {
  readonly needs: Need[]
  readonly refused: Limit[]
  /** Whether any of the needs is of a policy that leases its quota. */
  readonly leasing: boolean
}

/** What fits into one batch. */
const MAX_POLICIES = 100

const ONCE: TakeOptions = {}

/** The policies in force. */
export function createRules(
  policies: readonly Policy[],
  ipv6Prefix: 48 | 56 | 64,
  keys: LimiterKeys,
) {
  const rules = new Map(policies.map((policy) => [policy.name, toRule(policy, keys)]))

  function find(name: string): Rule {
    const rule = rules.get(name)
    if (!rule) throw new RateLimitError('unknown-policy', `there is no policy "${name}"`)
    return rule
  }

  /** @throws RateLimitError `unknown-policy`, `bad-cost`, `bad-quota` */
  function plan(
    kind: Check['kind'],
    names: readonly string[],
    of: Subject,
    { cost: given, quotas }: TakeOptions = ONCE,
  ): Plan {
    if (given !== undefined && kind !== 'force') checkCost(given)
    if (names.length > MAX_POLICIES) {
      throw new RateLimitError('bad-policy', `at most ${MAX_POLICIES} policies for one request`)
    }
    const needs: Need[] = []
    let refused = NOTHING
    let leasing = false
    for (const name of names) {
      const rule = find(name)
      const { policy, allow, deny } = rule
      const id = typeof of === 'string' ? of : identify(policy.by, of, ipv6Prefix)
      if (id === undefined || allow?.has(id)) continue
      const quota = quotas === undefined ? policy.quota : quotaOf(policy, quotas)
      const cost = policy.algorithm === 'concurrency' ? 1 : (given ?? policy.cost)
      const never = deny?.has(id) || quota === 0 || (cost > quota && kind !== 'force')
      if (never && kind !== 'force') {
        refused = [...refused, refusal(policy, quota, Number.POSITIVE_INFINITY)]
        if (kind === 'take') rule.counts.limited += 1
      } else if (quota !== Number.POSITIVE_INFINITY && quota > 0) {
        const need = typeof of === 'string' ? toNeed(rule, of) : needOf(rule, id)
        if (policy.lease) leasing = true
        const usual = need.quota === quota && need.cost === cost
        needs.push(usual ? need : { ...need, quota, cost })
      }
    }
    return { needs, refused, leasing }
  }

  return {
    plan,
    all: [...rules.values()],
    /** The names of a subject. @throws RateLimitError `unknown-policy` also without an identifier */
    keysOf(names: readonly string[], of: Subject): string[] {
      return names.map((name) => {
        const { policy, subjectPrefix } = find(name)
        if (typeof of === 'string') return subjectPrefix + of
        const id = identify(policy.by, of, ipv6Prefix)
        if (id !== undefined) return subjectPrefix + keyPart(id)
        const message = `policy "${name}" needs ${policy.by.join(', ')}`
        throw new RateLimitError('unknown-policy', message)
      })
    },
  }
}

export type Rules = ReturnType<typeof createRules>

const NOTHING: Limit[] = []

/** What a take with nothing of its own needs of the policy. */
function needOf(rule: Rule, id: string): Need {
  if (rule.last === id && rule.lastNeed) return rule.lastNeed
  const need = toNeed(rule, keyPart(id))
  rule.last = id
  rule.lastNeed = need
  return need
}

function toNeed({ subjectPrefix, prefix, policy, counts, cost }: Rule, id: string): Need {
  return { key: subjectPrefix + id, prefix, id, policy, quota: policy.quota, cost, counts }
}

function toRule(policy: Policy, keys: LimiterKeys): Rule {
  return {
    policy,
    subjectPrefix: keys.subjectPrefix(policy.name),
    prefix: keys.countPrefix(policy),
    cost: policy.algorithm === 'concurrency' ? 1 : policy.cost,
    allow: policy.allow.length > 0 ? new Set(policy.allow) : undefined,
    deny: policy.deny.length > 0 ? new Set(policy.deny) : undefined,
    counts: { allowed: 0, limited: 0, unavailable: 0 },
    last: undefined,
    lastNeed: undefined,
  }
}

/** A refusal by itself, as nothing was counted for it. */
export function refusal({ name, windowMs, algorithm, shadow }: Policy, quota: number, ms: number) {
  return {
    policy: name,
    quota,
    windowMs,
    algorithm,
    shadow,
    remaining: 0,
    refillMs: ms,
    resetMs: ms,
    retryMs: ms,
  } satisfies Limit
}

/** @throws RateLimitError `bad-cost` */
export function checkCost(cost: number, least = 0): void {
  if (Number.isInteger(cost) && cost >= least && cost <= MAX_QUOTA) return
  const message = `a cost is an integer from ${least} to ${MAX_QUOTA}, not ${cost}`
  throw new RateLimitError('bad-cost', message)
}

function quotaOf(policy: Policy, quotas: Readonly<Record<string, number>>): number {
  const quota = quotas[policy.name] ?? policy.quota
  const fits = Number.isInteger(quota) && quota >= 0 && quota <= MAX_QUOTA
  if (fits || quota === Number.POSITIVE_INFINITY) return quota
  const message = `a quota is an integer from 0 to ${MAX_QUOTA} or Infinity, not ${quota}`
  throw new RateLimitError('bad-quota', message)
}
