import { randomUUID } from 'node:crypto'
import type { Bus } from '@repo/cache-broadcast'
import { createActivity } from './activity.ts'
import type { Check, Limit, Need, Store, Verdict } from './check.ts'
import { count, decide } from './decision.ts'
import { createDenials } from './denials.ts'
import { RateLimitError } from './errors.ts'
import { createLeases } from './leases.ts'
import type { Decision, RateLimiter, Subject, TakeOptions } from './limiter-api.ts'
import { checkCost, createRules } from './plan.ts'
import { parsePolicies } from './policy.ts'

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
}

/** @throws RateLimitError `bad-policy` */
export function createLimiter(parts: LimiterParts): RateLimiter {
  const { store, source, available, decideWithout, bus, ipv6Prefix, observe } = parts
  const parsed = parsePolicies(parts.policies)
  if (parsed.outcome === 'invalid') throw new RateLimitError('bad-policy', parsed.faults.join('\n'))
  let rules = createRules(parsed.policies, ipv6Prefix)
  let closed = false
  const denials = createDenials({ bus, maxKeys: parts.denyCacheKeys })
  const leases = createLeases(store)
  const activity = createActivity({ store, rules: () => rules, available })
  const onRefused = (key: string) => activity.refused(key)
  const totals = { allowed: 0, limited: 0, unavailable: 0, fromDenyCache: 0, degraded: 0 }

  function checkOpen() {
    if (closed) throw new RateLimitError('closed', 'the limiter was closed')
  }

  function told(decision: Decision, { kind, needs }: Check): Decision {
    if (kind !== 'take') return decision
    totals[decision.outcome] += 1
    if (decision.degraded) totals.degraded += 1
    if (decision.source === 'deny-cache') totals.fromDenyCache += 1
    count(decision, needs, onRefused)
    activity.touch()
    observe?.(decision)
    return decision
  }

  function answered(check: Check, verdict: Verdict, sentAtMs: number, mark: number): Decision {
    if (!verdict.allowed && check.kind === 'take') denials.learn(check, verdict, sentAtMs, mark)
    const holds = check.lease !== '' && verdict.allowed
    const release = holds ? leases.hold(check.needs, check.lease) : undefined
    return told(decide(verdict, source, false, release), check)
  }

  function unanswered(check: Check, cause: unknown): Decision {
    if (check.kind === 'force') throw unavailable(cause)
    const known = denials.find(check, true)
    return told(known ? decide(known, 'deny-cache', true) : decideWithout(check), check)
  }

  /** What is thrown becomes a rejection, and an answer stays the one promise that it is. */
  function ask(
    kind: Check['kind'],
    names: readonly string[],
    of: Subject,
    options?: TakeOptions,
  ): Promise<Decision> {
    try {
      checkOpen()
      const { needs, refused } = rules.plan(kind, names, of, options)
      const check: Check = { kind, needs, lease: kind === 'take' ? leaseFor(needs) : '' }
      const enforced = refused.some(({ shadow }) => !shadow)
      if (enforced || needs.length === 0) {
        const verdict = { allowed: !enforced, limits: refused }
        return Promise.resolve(told(decide(verdict, 'policy'), check))
      }
      const known = denials.find(check, false)
      if (known) return Promise.resolve(told(decide(known, 'deny-cache'), check))
      if (!available()) return Promise.resolve(unanswered(check, undefined))
      return askStore(check, refused)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  function askStore(check: Check, refused: readonly Limit[]): Promise<Decision> {
    const sentAtMs = performance.now()
    const { mark } = denials.cache
    return store.check(check).then(
      ({ allowed, limits }) => {
        // A shadow policy may have refused without being asked.
        const all = refused.length === 0 ? limits : [...limits, ...refused]
        return answered(check, { allowed, limits: all }, sentAtMs, mark)
      },
      (error: unknown) => unanswered(check, error),
    )
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
      const decision = await ask('force', names, of, { cost: -cost })
      await change(() => denials.forget(rules.keysOf(names, of)))
      return decision
    },
    async reset(names, of) {
      const keys = rules.keysOf(names, of)
      await change(() => store.reset(keys))
      await change(() => denials.forget(keys))
    },
    async block(names, of, forMs) {
      if (!(forMs >= 1 && forMs <= MAX_BLOCK_MS)) {
        throw new RateLimitError('bad-duration', `a block is 1 to ${MAX_BLOCK_MS} ms, not ${forMs}`)
      }
      const keys = rules.keysOf(names, of)
      await change(() => store.block(keys, forMs))
      await change(() => denials.block(keys, forMs))
    },
    async unblock(names, of) {
      const keys = rules.keysOf(names, of)
      await change(() => store.block(keys, 0))
      await change(() => denials.forget(keys))
    },
    async report({ minutes = 5, top = 20 } = {}) {
      checkOpen()
      await activity.flush()
      const span = Math.max(1, Math.min(60, Math.floor(minutes)))
      return store.report(span, Math.max(1, Math.min(1_000, Math.floor(top)))).catch((error) => {
        throw unavailable(error)
      })
    },
    setPolicies(source_) {
      const next = parsePolicies(source_)
      if (next.outcome === 'invalid') return next
      void activity.flush()
      rules = createRules(next.policies, ipv6Prefix)
      denials.cache.forget()
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

/** About a year. */
const MAX_BLOCK_MS = 31_622_400_000

function leaseFor(needs: readonly Need[]): string {
  for (const { policy } of needs) if (policy.algorithm === 'concurrency') return randomUUID()
  return ''
}

function unavailable(cause: unknown): RateLimitError {
  if (cause instanceof RateLimitError) return cause
  return new RateLimitError('unavailable', 'Redis did not answer', { cause })
}
