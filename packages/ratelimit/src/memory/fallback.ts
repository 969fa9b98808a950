import { noteFailure } from '@repo/concurrency'
import { decide, undecided } from '../decide.ts'
import { RateLimitError } from '../errors.ts'
import { refusal } from '../rules.ts'
import type { Check, Need, Verdict } from '../store.ts'
import type { Decision } from '../types.ts'
import { isFiniteNumber, textOf } from '../validation.ts'
import type { MemoryStore } from './memory-store.ts'

/** When a policy refuses for want of Redis: when to ask again. */
const RETRY_MS = 1_000

/**
 * Decides without Redis, as each policy says: `deny` refuses, `allow` does not ask, `local` counts
 * here, each of the live replicas its share of the quota (at least 1). What is refused is
 * `unavailable`: nobody can say that the client is over its limit.
 */
export function createOutage({ local, replicas }: { local: MemoryStore; replicas: () => number }) {
  let live = 1

  /** The replicas when they were last counted without an error. */
  function countReplicas(): number {
    try {
      const count = replicas()
      if (!(isFiniteNumber(count) && count >= 0)) {
        throw new RateLimitError('bad-option', `replicas() returned ${textOf(count)}`)
      }
      live = Math.max(1, count)
    } catch (error) {
      noteFailure('ratelimit.replicas', error)
    }
    return live
  }

  function shareOf(need: Need): Need {
    return { ...need, quota: Math.max(1, Math.floor(need.quota / countReplicas())) }
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
