import { noteFailure } from '@repo/concurrency'
import type { ConnectionLog } from '@repo/redis'
import { createActivity } from './activity.ts'
import { createConcurrencySlots } from './concurrency-slots.ts'
import { createDecide } from './decide.ts'
import { RateLimitError, unavailable } from './errors.ts'
import { type LimiterKeys, limiterKeys } from './keys.ts'
import { createDenyCache } from './memory/deny-cache.ts'
import { createQuotaBlocks } from './memory/quota-blocks.ts'
import { parsePolicies, type Policy } from './policy.ts'
import { checkCost, createRules, type Plan } from './rules.ts'
import type { Check, Need, PolicyCounts, Store } from './store.ts'
import type {
  Decision,
  LimiterBus,
  PolicyDecisions,
  RateLimiter,
  Subject,
  TakeOptions,
} from './types.ts'
import { checkDuration, reportOptions, toArgumentError } from './validation.ts'

/** The parts of a limiter. */
interface LimiterParts {
  store: Store
  /** The source of decisions that the store makes. */
  source: 'redis' | 'memory'
  policies: unknown
  /** Whether the store can be used now. */
  available: () => boolean
  /** Decides without the store. */
  decideLocally: (check: Check) => Decision
  bus: LimiterBus | undefined
  denyCacheKeys: number
  ipv6Prefix: 48 | 56 | 64
  /** Called with every decision of `take`. */
  observe: ((decision: Decision) => unknown) | undefined
  log?: ConnectionLog | undefined
  keys?: LimiterKeys
  /** The clock of quota blocks, in ms. */
  now?: () => number
}

/** @throws RateLimitError `bad-policy` */
export function createLimiter(parts: LimiterParts): RateLimiter {
  const { store, available, ipv6Prefix, observe, log } = parts
  const { keys: keyNames = limiterKeys(), now = () => performance.now() } = parts
  const parsed = parsePolicies(parts.policies)
  if (parsed.outcome === 'invalid') throw new RateLimitError('bad-policy', parsed.faults.join('\n'))
  let rules = createRules(parsed.policies, ipv6Prefix, keyNames)
  let isClosed = false
  const quotaBlocks = createQuotaBlocks({ store, now })
  const denyCache = createDenyCache({
    bus: parts.bus,
    maxKeys: parts.denyCacheKeys,
    onForget: (keys) => quotaBlocks.forget(keys),
  })
  const slots = createConcurrencySlots(store)
  const activity = createActivity({ store, rules: () => rules, available })
  const decide = createDecide({ ...parts, denyCache, slots, quotaBlocks, record })

  function record(decision: Decision, needs: readonly Need[]) {
    activity.record(decision, needs)
    if (observe) callObserver(observe, decision, log)
  }

  function checkOpen() {
    if (isClosed) throw new RateLimitError('closed', 'the limiter is closed')
  }

  /** @throws RateLimitError */
  function planOf(
    kind: Check['kind'],
    names: readonly string[],
    subject: Subject,
    options?: TakeOptions,
  ): Plan {
    checkOpen()
    try {
      return rules.plan(kind, names, subject, options)
    } catch (error) {
      throw toArgumentError('an argument', error)
    }
  }

  /** The keys of the subject; none without policies. @throws RateLimitError */
  function keysOf(names: readonly string[], subject: Subject): string[] {
    checkOpen()
    try {
      return rules.keysOf(names, subject)
    } catch (error) {
      throw toArgumentError('an argument', error)
    }
  }

  /** An error becomes a rejection. A decision costs one promise. */
  function check(
    kind: Check['kind'],
    names: readonly string[],
    subject: Subject,
    options?: TakeOptions,
  ): Promise<Decision> {
    try {
      const decision = decide(kind, planOf(kind, names, subject, options))
      return decision instanceof Promise ? decision : Promise.resolve(decision)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** @throws RateLimitError `unavailable`, `defect`, `closed` */
  async function change(act: () => Promise<void>): Promise<void> {
    checkOpen()
    try {
      await act()
    } catch (error) {
      throw unavailable(error)
    }
  }

  return {
    take: (names, subject, options) => check('take', names, subject, options),
    takeNow: (names, subject, options) => decide('take', planOf('take', names, subject, options)),
    peek: (names, subject, options) => check('peek', names, subject, options),
    async penalize(names, subject, cost) {
      checkCost(cost, 1)
      return check('force', names, subject, { cost })
    },
    async reward(names, subject, cost) {
      checkCost(cost, 1)
      const plan = planOf('force', names, subject, { cost: -cost })
      const keys = keysOf(names, subject)
      const decision = await decide('force', plan)
      if (plan.needs.length > 0) await change(() => store.rewardOthers(plan.needs))
      await change(() => denyCache.forgetEverywhere(keys))
      return decision
    },
    async reset(names, subject) {
      const keys = keysOf(names, subject)
      if (keys.length === 0) return
      await change(() => store.reset(keys))
      await change(() => denyCache.forgetEverywhere(keys))
    },
    async block(names, subject, forMs) {
      checkDuration(forMs)
      const keys = keysOf(names, subject)
      if (keys.length === 0) return
      await change(() => store.block(keys, forMs))
      await change(() => denyCache.blockEverywhere(keys, forMs))
    },
    async unblock(names, subject) {
      const keys = keysOf(names, subject)
      if (keys.length === 0) return
      await change(() => store.block(keys, 0))
      await change(() => denyCache.forgetEverywhere(keys))
    },
    async report(options = {}) {
      checkOpen()
      const { minutes, top } = reportOptions(options)
      await activity.flush()
      return store.report(minutes, top).catch((error) => {
        throw unavailable(error)
      })
    },
    setPolicies(source) {
      // R9: policies with a fault change nothing.
      const next = parsePolicies(source)
      if (next.outcome === 'invalid') return next
      void activity.flush()
      rules = createRules(next.policies, ipv6Prefix, keyNames, rules)
      denyCache.forget()
      return next
    },
    policies: () => rules.all.map(({ policy }) => policy),
    decisions: () => rules.all.map(({ policy, counts }) => toDecisions(policy, counts)),
    stats: () => ({ ...activity.totals, denyCacheKeys: denyCache.size, exact: available() }),
    async close() {
      if (isClosed) return
      isClosed = true
      denyCache.close()
      await slots.close()
      await activity.flush()
    },
  }
}

/** The takes under a policy by decision. */
function toDecisions({ name: policy }: Policy, counts: PolicyCounts): PolicyDecisions {
  const { allowed, denied, shadowed } = counts
  const limited = counts.limited - denied - shadowed
  return { policy, allowed, limited, denied, unavailable: counts.unavailable, shadowed }
}

/** The take was counted: an observer that fails does not change its decision. */
function callObserver(
  observe: (decision: Decision) => unknown,
  decision: Decision,
  log: ConnectionLog | undefined,
) {
  try {
    const result = observe(decision)
    if (result instanceof Promise) {
      result.catch((error: unknown) => noteFailure('ratelimit.observe', error, log))
    }
  } catch (error) {
    noteFailure('ratelimit.observe', error, log)
  }
}
