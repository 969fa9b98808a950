import type { Check, Need, Verdict } from './check.ts'
import { decide, undecided } from './decision.ts'
import type { Decision } from './limiter-api.ts'
import type { MemoryStore } from './memory-store.ts'
import { refusal } from './plan.ts'

/** When a policy refuses for want of Redis: when to ask again. */
const RETRY_MS = 1_000

/**
 * Decides without Redis, as each policy says: `deny` refuses, `allow` does not ask, `local` counts
 * here, each of the live replicas its share of the quota (at least 1). What is refused is
 * `unavailable`: nobody can say that the client is over its limit.
 */
export function createOutage({ local, replicas }: { local: MemoryStore; replicas: () => number }) {
  function shareOf(need: Need): Need {
    return { ...need, quota: Math.max(1, Math.floor(need.quota / Math.max(1, replicas()))) }
  }

  return function decideWithout(check: Check): Decision {
    const refusing = check.needs.filter(
      ({ policy }) => policy.onUnavailable === 'deny' && !policy.shadow,
    )
    if (refusing.length > 0) {
      const limits = refusing.map(({ policy, quota }) => refusal(policy, quota, RETRY_MS))
      return undecided(
        limits,
        refusing.map(({ policy }) => policy.name),
        RETRY_MS,
      )
    }
    const needs = check.needs.filter(({ policy }) => policy.onUnavailable === 'local').map(shareOf)
    const verdict: Verdict = local.checkNow({ ...check, needs })
    const release = () =>
      local.release(
        needs.map(({ key }) => key),
        check.lease,
      )
    const decision = decide(verdict, 'local', true, release)
    return decision.outcome === 'allowed'
      ? decision
      : undecided(decision.limits, [...decision.violated], decision.retryAfterMs)
  }
}
