import { identify, keyPart, subjectPart } from './dimensions.ts'
import { RateLimitError } from './errors.ts'
import type { LimiterKeys } from './keys.ts'
import { MAX_QUOTA, type Policy } from './policy.ts'
import type { Check, Limit, Need, PolicyCounts } from './store.ts'
import type { Subject, TakeOptions } from './types.ts'
import { isObject, MAX_POLICIES, policyNames, requireValid, textOf } from './validation.ts'

/** A policy in force, with the values that are derived from it once. */
interface Rule {
  readonly policy: Policy
  /** The prefix of its subjects, and that of its counts. */
  readonly subjectPrefix: string
  readonly prefix: string
  /** The cost of a take that names none. */
  readonly cost: number
  readonly allow: ReadonlySet<string> | undefined
  readonly deny: ReadonlySet<string> | undefined
  readonly counts: PolicyCounts
  /** The number of the last call that named it: a policy counts once for a request. */
  lastCall: number
  /** The last identifier and its need: a flood repeats the same identifier. */
  lastId: string | undefined
  lastNeed: Need | undefined
}

/** The needs of a request, and the refusals that need no store. */
export interface Plan {
  readonly needs: Need[]
  readonly refused: Limit[]
  /** Whether a need is of a policy with quota blocks. */
  readonly hasBlocks: boolean
}

const NO_OPTIONS: TakeOptions = {}
const NO_LIMITS: Limit[] = []

const SUBJECT = {
  name: 'the subject',
  must: 'an object of dimensions, or an identifier',
  isValid: () => false,
}
const OPTIONS = { name: 'options', must: 'an object', isValid: isObject }
const QUOTAS = { name: 'quotas', must: 'an object of quotas by policy', isValid: isObject }

/**
 * The policies in force. They turn a request into a plan.
 *
 * @param before the policies until now: a policy with the same name continues their counts
 */
export function createRules(
  policies: readonly Policy[],
  ipv6Prefix: 48 | 56 | 64,
  keys: LimiterKeys,
  before?: Rules,
): Rules {
  const countsBefore = new Map(before?.all.map(({ policy, counts }) => [policy.name, counts]))
  const rules = new Map(
    policies.map((policy) => {
      return [policy.name, toRule(policy, keys, countsBefore.get(policy.name) ?? createCounts())]
    }),
  )

  let calls = 0

  function find(name: string): Rule {
    const rule = rules.get(name)
    if (!rule) throw new RateLimitError('unknown-policy', `there is no policy ${textOf(name)}`)
    if (rule.lastCall === calls) {
      throw new RateLimitError('bad-argument', `the policy "${name}" is named twice`)
    }
    rule.lastCall = calls
    return rule
  }

  function begin(names: readonly string[], subject: Subject) {
    calls += 1
    if (!Array.isArray(names) || names.length > MAX_POLICIES) {
      requireValid('bad-argument', names, policyNames)
    }
    const isSubject = typeof subject === 'string' || (typeof subject === 'object' && subject)
    if (!isSubject) requireValid('bad-argument', subject, SUBJECT)
  }

  /** @throws RateLimitError `unknown-policy`, `bad-cost`, `bad-quota`, `bad-argument` */
  function plan(
    kind: Check['kind'],
    names: readonly string[],
    subject: Subject,
    options: TakeOptions = NO_OPTIONS,
  ): Plan {
    begin(names, subject)
    if (options !== NO_OPTIONS && !isObject(options)) {
      requireValid('bad-argument', options, OPTIONS)
    }
    const { cost: givenCost, quotas } = options
    if (givenCost !== undefined && kind !== 'force') checkCost(givenCost)
    if (quotas !== undefined && !isObject(quotas)) requireValid('bad-argument', quotas, QUOTAS)
    const needs: Need[] = []
    let refused = NO_LIMITS
    let hasBlocks = false
    for (const name of names) {
      const rule = find(name)
      const { policy, allow, deny } = rule
      // R4: a request without the dimension is not counted under this policy.
      const id =
        typeof subject === 'string'
          ? subjectPart(subject)
          : identify(policy.by, subject, ipv6Prefix)
      if (id === undefined || allow?.has(id)) continue
      const quota = quotas === undefined ? policy.quota : quotaOf(policy, quotas)
      const cost = policy.algorithm === 'concurrency' ? 1 : (givenCost ?? policy.cost)
      const isNever = deny?.has(id) || quota === 0 || (cost > quota && kind !== 'force')
      if (isNever && kind !== 'force') {
        refused = [...refused, refusal(policy, quota, Number.POSITIVE_INFINITY)]
        if (kind === 'take') {
          rule.counts.limited += 1
          rule.counts[policy.shadow ? 'shadowed' : 'denied'] += 1
        }
      } else if (quota !== Number.POSITIVE_INFINITY && quota > 0) {
        const need = typeof subject === 'string' ? toNeed(rule, id) : needOf(rule, id)
        if (policy.lease) hasBlocks = true
        const isUsual = need.quota === quota && need.cost === cost
        needs.push(isUsual ? need : { ...need, quota, cost })
      }
    }
    return { needs, refused, hasBlocks }
  }

  return {
    plan,
    all: Array.from(rules.values(), ({ policy, counts }) => ({ policy, counts })),
    /** The keys of a subject. @throws RateLimitError `unknown-policy` also without an identifier */
    keysOf(names: readonly string[], subject: Subject): string[] {
      begin(names, subject)
      return names.map((name) => {
        const { policy, subjectPrefix } = find(name)
        if (typeof subject === 'string') return subjectPrefix + subjectPart(subject)
        const id = identify(policy.by, subject, ipv6Prefix)
        if (id !== undefined) return subjectPrefix + keyPart(id)
        const message = `policy "${name}" needs ${policy.by.join(', ')}`
        throw new RateLimitError('unknown-policy', message)
      })
    },
  }
}

export interface Rules {
  plan(kind: Check['kind'], names: readonly string[], subject: Subject, options?: TakeOptions): Plan
  readonly all: readonly { readonly policy: Policy; readonly counts: PolicyCounts }[]
  keysOf(names: readonly string[], subject: Subject): string[]
}

function createCounts(): PolicyCounts {
  const none = { allowed: 0, limited: 0, unavailable: 0 }
  return { ...none, denied: 0, shadowed: 0, reported: { ...none } }
}

/** The need of a take with the policy's own quota and cost. */
function needOf(rule: Rule, id: string): Need {
  if (rule.lastId === id && rule.lastNeed) return rule.lastNeed
  const need = toNeed(rule, keyPart(id))
  rule.lastId = id
  rule.lastNeed = need
  return need
}

function toNeed({ subjectPrefix, prefix, policy, counts, cost }: Rule, id: string): Need {
  return { key: subjectPrefix + id, prefix, id, policy, quota: policy.quota, cost, counts }
}

function toRule(policy: Policy, keys: LimiterKeys, counts: PolicyCounts): Rule {
  return {
    policy,
    subjectPrefix: keys.subjectPrefix(policy.name),
    prefix: keys.countPrefix(policy),
    cost: policy.algorithm === 'concurrency' ? 1 : policy.cost,
    allow: policy.allow.length > 0 ? new Set(policy.allow) : undefined,
    deny: policy.deny.length > 0 ? new Set(policy.deny) : undefined,
    counts,
    lastCall: 0,
    lastId: undefined,
    lastNeed: undefined,
  }
}

/** The limit of a refusal that no store made. */
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
  const message = `a cost is an integer from ${least} to ${MAX_QUOTA}, not ${textOf(cost)}`
  throw new RateLimitError('bad-cost', message)
}

function quotaOf(policy: Policy, quotas: Readonly<Record<string, number>>): number {
  const { name } = policy
  const quota = Object.hasOwn(quotas, name) ? (quotas[name] ?? policy.quota) : policy.quota
  const isValid = Number.isInteger(quota) && quota >= 0 && quota <= MAX_QUOTA
  if (isValid || quota === Number.POSITIVE_INFINITY) return quota
  const message = `a quota is an integer from 0 to ${MAX_QUOTA} or Infinity, not ${textOf(quota)}`
  throw new RateLimitError('bad-quota', message)
}
