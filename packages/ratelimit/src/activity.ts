import { noteFailure } from '@repo/concurrency'
import type { Rules } from './rules.ts'
import type { Limit, Need, Store } from './store.ts'
import type { Decision } from './types.ts'

/** The refusals of at most this number of keys are part of a report. */
const MAX_KEYS = 200
const REPORT_EVERY_MS = 1_000

/** Counts the takes of this instance, and adds them once a second to the report of the cluster. */
export function createActivity({
  store,
  rules,
  available,
}: {
  store: Store
  rules: () => Rules
  available: () => boolean
}) {
  const totals = {
    allowed: 0,
    limited: 0,
    unavailable: 0,
    fromDenyCache: 0,
    fromLease: 0,
    degraded: 0,
  }
  let refusals = new Map<string, number>()
  let timer: NodeJS.Timeout | undefined

  function addRefusal(key: string) {
    const count = refusals.get(key)
    if (count !== undefined || refusals.size < MAX_KEYS) refusals.set(key, (count ?? 0) + 1)
  }

  async function flush() {
    clearTimeout(timer)
    timer = undefined
    if (!available()) return
    const limited = refusals
    refusals = new Map()
    const byPolicy = new Map<string, number>()
    for (const { policy, counts } of rules().all) {
      for (const outcome of ['allowed', 'limited', 'unavailable'] as const) {
        const unreported = counts[outcome] - counts.reported[outcome]
        if (unreported === 0) continue
        byPolicy.set(`${policy.name}|${outcome}`, unreported)
        counts.reported[outcome] = counts[outcome]
      }
    }
    if (byPolicy.size === 0) return
    // A report that fails is lost. It is read by people, and no limit depends on it.
    await store.addActivity({ totals: byPolicy, limited }).catch((error: unknown) => {
      noteFailure('ratelimit.activity', error)
    })
  }

  return {
    /** The takes of this instance since the start. */
    totals,
    /** Counts the decision of a take. */
    record(decision: Decision, needs: readonly Need[]) {
      const { outcome, limits, source } = decision
      totals[outcome] += 1
      if (decision.degraded) totals.degraded += 1
      if (source === 'deny-cache') totals.fromDenyCache += 1
      if (source === 'lease') totals.fromLease += 1
      for (const { policy, counts, key } of needs) {
        if (outcome === 'unavailable') counts.unavailable += 1
        else if (isRefusedBy(limits, policy.name)) {
          counts.limited += 1
          if (policy.shadow) counts.shadowed += 1
          addRefusal(key)
        } else if (outcome === 'allowed') counts.allowed += 1
      }
      timer ??= setTimeout(() => void flush(), REPORT_EVERY_MS).unref()
    },
    flush,
  }
}

function isRefusedBy(limits: readonly Limit[], policy: string): boolean {
  for (const limit of limits) if (limit.retryMs > 0 && limit.policy === policy) return true
  return false
}
