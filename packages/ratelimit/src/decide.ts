import { randomUUID } from 'node:crypto'
import type { createConcurrencySlots } from './concurrency-slots.ts'
import { unavailable } from './errors.ts'
import type { DenyCache } from './memory/deny-cache.ts'
import { lendUnits, type Loan, type QuotaBlocks } from './memory/quota-blocks.ts'
import type { Plan } from './rules.ts'
import type { Check, Limit, Need, Store, Verdict } from './store.ts'
import type { Decision } from './types.ts'

export interface DecideParts {
  store: Store
  source: 'redis' | 'memory'
  /** Whether the store can be used now. */
  available: () => boolean
  /** Decides without the store. */
  decideLocally: (check: Check) => Decision
  denyCache: DenyCache
  slots: ReturnType<typeof createConcurrencySlots>
  quotaBlocks: QuotaBlocks
  /** Receives every decision of a take. */
  record: (decision: Decision, needs: readonly Need[]) => void
}

/**
 * Decides a check by the first of these that can: the policies alone, the deny cache, a quota block,
 * the store, and without the store the deny cache and then `decideLocally`.
 */
export function createDecide({
  store,
  source,
  available,
  decideLocally,
  denyCache,
  slots,
  quotaBlocks,
  record,
}: DecideParts) {
  /**
   * A promise only for a check that the store decides.
   * @throws RateLimitError `unavailable` for a check that only the store can decide
   */
  function decide(kind: Check['kind'], plan: Plan): Decision | Promise<Decision> {
    const { needs, refused, hasBlocks } = plan
    const early = decideEarly(kind, plan)
    if (early) return finish(early, kind, needs)
    const loan = hasBlocks && kind === 'take' ? lendUnits(quotaBlocks, needs) : undefined
    if (loan?.rest.length === 0) {
      const limits = refused.length === 0 ? loan.merge([]) : [...loan.merge([]), ...refused]
      return finish(toDecision({ admitted: 1, limits }, 'lease'), kind, needs)
    }
    const check: Check = { kind, needs, holder: kind === 'take' ? holderOf(needs) : '', times: 1 }
    if (available()) return decideByStore(check, plan, loan)
    loan?.putBack()
    return decideWithoutStore(check, undefined)
  }

  /** The decision of the policies or of the deny cache; undefined if the check has to be counted. */
  function decideEarly(kind: Check['kind'], { needs, refused }: Plan): Decision | undefined {
    const isRefused = refused.some(({ shadow }) => !shadow)
    if (isRefused || needs.length === 0) {
      return toDecision({ admitted: isRefused ? 0 : 1, limits: refused }, 'policy')
    }
    const cached = kind === 'force' ? undefined : denyCache.find(needs)
    return cached && toDecision(cached, 'deny-cache')
  }

  function decideByStore(check: Check, plan: Plan, loan: Loan | undefined): Promise<Decision> {
    const { mark } = denyCache
    return new Promise((resolve, reject) => {
      store.check({
        check: loan ? { ...check, needs: loan.rest } : check,
        onVerdict(verdict, sentAtMs) {
          try {
            learn(check, plan, loan, verdict, sentAtMs, mark)
            resolve(finish(decisionOf(check, plan, loan, verdict), check.kind, check.needs))
          } catch (error) {
            reject(error)
          }
        },
        onError(cause) {
          try {
            resolve(decideWithoutStore(check, cause))
          } catch (error) {
            reject(error)
          }
        },
      })
    })
  }

  /** Updates the caches of this instance with a verdict. */
  function learn(
    { kind, needs: all }: Check,
    { hasBlocks }: Plan,
    loan: Loan | undefined,
    { admitted, limits }: Verdict,
    sentAtMs: number,
    mark: number,
  ): void {
    if (kind !== 'take') return
    const needs = loan ? loan.rest : all
    if (admitted === 0) {
      denyCache.learn(needs, limits, sentAtMs, mark)
      loan?.putBack()
    } else if (hasBlocks) quotaBlocks.reserve(needs, limits)
  }

  function decisionOf(
    { needs, holder }: Check,
    { refused }: Plan,
    loan: Loan | undefined,
    { admitted, limits: counted }: Verdict,
  ): Decision {
    const isHolder = holder !== '' && admitted > 0
    const release = isHolder ? slots.hold(loan ? loan.rest : needs, holder) : undefined
    const limits = loan ? loan.merge(counted) : counted
    // A shadow policy may have refused without the store.
    const all = refused.length === 0 ? limits : [...limits, ...refused]
    return toDecision({ admitted, limits: all }, source, false, release)
  }

  function decideWithoutStore(check: Check, cause: unknown): Decision {
    const { kind, needs } = check
    if (kind === 'force') throw unavailable(cause)
    const cached = denyCache.findAny(needs)
    const decision = cached ? toDecision(cached, 'deny-cache', true) : decideLocally(check)
    return finish(decision, kind, needs)
  }

  function finish(decision: Decision, kind: Check['kind'], needs: readonly Need[]): Decision {
    if (kind === 'take') record(decision, needs)
    return decision
  }

  return decide
}

function holderOf(needs: readonly Need[]): string {
  for (const { policy } of needs) if (policy.algorithm === 'concurrency') return randomUUID()
  return ''
}

const NO_NAMES: readonly string[] = []
const releaseNothing = () => Promise.resolve()

/** The decision of a verdict. */
export function toDecision(
  { admitted, limits }: Verdict,
  source: Decision['source'],
  degraded = false,
  release = releaseNothing,
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

/** The decision `unavailable`: no store has counted the request (R6). */
export function toUnavailable(
  limits: readonly Limit[],
  violated: string[],
  retryMs: number,
): Decision {
  return {
    outcome: 'unavailable',
    limits,
    violated,
    shadowed: NO_NAMES,
    retryAfterMs: Math.max(1, Math.min(retryMs, 60_000)),
    degraded: true,
    source: 'local',
    release: releaseNothing,
  }
}
