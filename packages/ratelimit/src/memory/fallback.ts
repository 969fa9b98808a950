import { noteFailure } from '@repo/concurrency'
import { toDecision, toUnavailable } from '../decide.ts'
import { RateLimitError } from '../errors.ts'
import { refusal } from '../rules.ts'
import type { Check, Need, Verdict } from '../store.ts'
import type { Decision } from '../types.ts'
import { isFiniteNumber, textOf } from '../validation.ts'
import type { MemoryStore } from './memory-store.ts'

/** The `retryAfterMs` of a refusal because Redis is unavailable. */
const RETRY_MS = 1_000

/**
 * Decides without Redis by the `onUnavailable` of each policy: `deny` refuses, `allow` does not count,
 * and `local` counts in this process, with a share of the quota for each live replica (at least 1).
 * A refusal is `unavailable` and never `limited`, since the count of the cluster is unknown (R6).
 */
export function createFallback({
  local,
  replicas,
}: {
  local: MemoryStore
  replicas: () => number
}) {
  let liveReplicas = 1

  /** The number of replicas from the last call of `replicas` that succeeded. */
  function countReplicas(): number {
    try {
      const count = replicas()
      if (!(isFiniteNumber(count) && count >= 0)) {
        throw new RateLimitError('bad-option', `replicas() returned ${textOf(count)}`)
      }
      liveReplicas = Math.max(1, count)
    } catch (error) {
      noteFailure('ratelimit.replicas', error)
    }
    return liveReplicas
  }

  function withShare(need: Need): Need {
    return { ...need, quota: Math.max(1, Math.floor(need.quota / countReplicas())) }
  }

  return function decideLocally(check: Check): Decision {
    const denying = check.needs.filter(
      ({ policy }) => policy.onUnavailable === 'deny' && !policy.shadow,
    )
    if (denying.length > 0) {
      const limits = denying.map(({ policy, quota }) => refusal(policy, quota, RETRY_MS))
      const names = denying.map(({ policy }) => policy.name)
      return toUnavailable(limits, names, RETRY_MS)
    }
    const needs = check.needs
      .filter(({ policy }) => policy.onUnavailable === 'local')
      .map(withShare)
    const verdict: Verdict = local.checkNow({ ...check, needs })
    const keys = needs.map(({ key }) => key)
    const release = () => local.release(keys, check.holder)
    const decision = toDecision(verdict, 'local', true, release)
    if (decision.outcome === 'allowed') return decision
    return toUnavailable(decision.limits, [...decision.violated], decision.retryAfterMs)
  }
}
