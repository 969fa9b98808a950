import type { Limit, Need, Verdict } from './store.ts'
import type { Decision } from './types.ts'

const NO_NAMES: readonly string[] = []
const nothing = () => Promise.resolve()

/** The decision of a store's answer. */
export function decide(
  { admitted, limits }: Verdict,
  source: Decision['source'],
  degraded = false,
  release = nothing,
): Decision {
  let violated: string[] | undefined
  let shadowed: string[] | undefined
  let retryAfterMs = 0
  for (const { policy, shadow, retryMs } of limits) {
    if (retryMs === 0) continue
    if (shadow) (shadowed ??= []).push(policy)
    else {
      ;(violated ??= []).push(policy)
      if (retryMs > retryAfterMs) retryAfterMs = retryMs
    }
  }
  const outcome = admitted > 0 ? 'allowed' : 'limited'
  return {
    outcome,
    limits,
    violated: violated ?? NO_NAMES,
    shadowed: shadowed ?? NO_NAMES,
    retryAfterMs,
    degraded,
    source,
    release,
  }
}

/** Nobody can say whether the request is within its limits. */
export function undecided(limits: readonly Limit[], violated: string[], retryMs: number): Decision {
  return {
    outcome: 'unavailable',
    limits,
    violated,
    shadowed: NO_NAMES,
    retryAfterMs: Math.max(1, Math.min(retryMs, 60_000)),
    degraded: true,
    source: 'local',
    release: nothing,
  }
}

/** Adds to what each policy did; tells `onRefused` of each key that refused. */
export function count(
  { outcome, limits }: Decision,
  needs: readonly Need[],
  onRefused: (key: string) => void,
): void {
  for (const { policy, counts, key } of needs) {
    if (outcome === 'unavailable') counts.unavailable += 1
    else if (refuses(limits, policy.name)) {
      counts.limited += 1
      onRefused(key)
    } else if (outcome === 'allowed') counts.allowed += 1
  }
}

function refuses(limits: readonly Limit[], policy: string): boolean {
  for (const limit of limits) if (limit.retryMs > 0 && limit.policy === policy) return true
  return false
}
