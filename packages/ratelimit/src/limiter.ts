import type { Bus } from '@repo/cache-broadcast'
import { noteFailure } from '@repo/concurrency'
import type { ConnectionLog } from '@repo/redis'
import { add, createActivity, createTotals } from './activity.ts'
import { createLeases } from './concurrency-slots.ts'
import { count, createAsking } from './decide.ts'
import { RateLimitError, unavailable } from './errors.ts'
import { type LimiterKeys, limiterKeys } from './keys.ts'
import { createQuotaLeases } from './memory/quota-blocks.ts'
import { createDenials } from './memory/refusal-cache.ts'
import { parsePolicies } from './policy.ts'
import { checkCost, createRules, type Plan } from './rules.ts'
import type { Check, Store } from './store.ts'
import type { Decision, RateLimiter, Subject, TakeOptions } from './types.ts'
import { checkDuration, readArgument, reportOptions } from './validation.ts'

/** What a limiter is made of. */
interface LimiterParts {
  store: Store
  /** What decisions of the store are said to come from. */
  source: 'redis' | 'memory'
  policies: unknown
  /** Whether the store may be asked at this moment. */
  available: () => boolean
  /** Decides when the store does not answer. */
  decideWithout: (check: Check) => Decision
  bus: Bus | undefined
  denyCacheKeys: number
  ipv6Prefix: 48 | 56 | 64
  /** Called with every decision of `take`. */
  observe: ((decision: Decision) => void) | undefined
  log?: ConnectionLog | undefined
  /** How counts are named. */
  keys?: LimiterKeys
  /** How time passes for leases of a quota, in ms. */
  now?: () => number
}

/** @throws RateLimitError `bad-policy` */
export function createLimiter(parts: LimiterParts): RateLimiter {
  const { store, source, available, decideWithout, bus, ipv6Prefix, observe } = parts
  const { keys: keyNames = limiterKeys() } = parts
  const parsed = parsePolicies(parts.policies)
  if (parsed.outcome === 'invalid') throw new RateLimitError('bad-policy', parsed.faults.join('\n'))
  let rules = createRules(parsed.policies, ipv6Prefix, keyNames)
  let closed = false
  const quotaLeases = createQuotaLeases({ store, now: parts.now ?? (() => performance.now()) })
  const denials = createDenials({
    ...{ bus, maxKeys: parts.denyCacheKeys },
    onForget: (keys) => quotaLeases.forget(keys),
  })
  const leases = createLeases(store)
  const activity = createActivity({ store, rules: () => rules, available })
  const totals = createTotals()
  const onRefused = (key: string) => activity.refused(key)
  const asking = createAsking({
    ...{ store, source, available, decideWithout, denials, leases, quotaLeases },
    told(decision, needs) {
      add(totals, decision)
      count(decision, needs, onRefused)
      activity.touch()
      if (observe) notify(observe, decision, parts.log)
    },
  })

  function checkOpen() {
    if (closed) throw new RateLimitError('closed', 'the limiter was closed')
  }

  /** @throws RateLimitError */
  function planOf(
    kind: Check['kind'],
    names: readonly string[],
    of: Subject,
    options?: TakeOptions,
  ): Plan {
    checkOpen()
    return readArgument('an argument', () => rules.plan(kind, names, of, options))
  }

  /** The subject's names, of which there are none without policies. */
  function keysOf(names: readonly string[], of: Subject): string[] {
    checkOpen()
    return readArgument('an argument', () => rules.keysOf(names, of))
  }

  /** What is thrown becomes a rejection, and an answer stays the one promise that it is. */
  function ask(
    kind: Check['kind'],
    names: readonly string[],
    of: Subject,
    options?: TakeOptions,
  ): Promise<Decision> {
    try {
      return asking(kind, planOf(kind, names, of, options))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async function change(act: () => Promise<void>): Promise<void> {
    checkOpen()
    try {
      await act()
    } catch (error) {
      throw unavailable(error)
    }
  }

  return {
    take: (names, of, options) => ask('take', names, of, options),
    peek: (names, of, options) => ask('peek', names, of, options),
    async penalize(names, of, cost) {
      checkCost(cost, 1)
      return ask('force', names, of, { cost })
    },
    async reward(names, of, cost) {
      checkCost(cost, 1)
      const plan = planOf('force', names, of, { cost: -cost })
      const keys = keysOf(names, of)
      const decision = await asking('force', plan)
      if (plan.needs.length > 0) await change(() => store.rewardOthers(plan.needs))
      await change(() => denials.forget(keys))
      return decision
    },
    async reset(names, of) {
      const keys = keysOf(names, of)
      if (keys.length === 0) return
      await change(() => store.reset(keys))
      await change(() => denials.forget(keys))
    },
    async block(names, of, forMs) {
      checkDuration(forMs)
      const keys = keysOf(names, of)
      if (keys.length === 0) return
      await change(() => store.block(keys, forMs))
      await change(() => denials.block(keys, forMs))
    },
    async unblock(names, of) {
      const keys = keysOf(names, of)
      if (keys.length === 0) return
      await change(() => store.block(keys, 0))
      await change(() => denials.forget(keys))
    },
    async report(options = {}) {
      checkOpen()
      const { minutes, top } = reportOptions(options)
      await activity.flush()
      return store.report(minutes, top).catch((error) => {
        throw unavailable(error)
      })
    },
    setPolicies(source_) {
      const next = parsePolicies(source_)
      if (next.outcome === 'invalid') return next
      void activity.flush()
      rules = createRules(next.policies, ipv6Prefix, keyNames)
      denials.forgetAll()
      return next
    },
    policies: () => rules.all.map(({ policy }) => policy),
    stats: () => ({ ...totals, denyCacheKeys: denials.cache.size, exact: available() }),
    async close() {
      if (closed) return
      closed = true
      denials.close()
      await leases.close()
      await activity.flush()
    },
  }
}

/** An observer that fails changes no decision: the take was counted. */
function notify(
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
