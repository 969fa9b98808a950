import { randomUUID } from 'node:crypto'
import type { createLeases } from './concurrency-slots.ts'
import { unavailable } from './errors.ts'
import { lend, type Lending, type QuotaLeases } from './memory/quota-blocks.ts'
import type { createDenials } from './memory/refusal-cache.ts'
import type { Plan } from './rules.ts'
import type { Check, Limit, Need, Store, Verdict } from './store.ts'
import type { Decision } from './types.ts'

/** Decides checks: by the policies, from memory, by the store, or without it. */
export function createAsking({
  store,
  source,
  available,
  decideWithout,
  denials,
  leases,
  quotaLeases,
  told,
}: {
  store: Store
  source: 'redis' | 'memory'
  available: () => boolean
  decideWithout: (check: Check) => Decision
  denials: ReturnType<typeof createDenials>
  leases: ReturnType<typeof createLeases>
  quotaLeases: QuotaLeases
  /** Hears every decision of a take. */
  told: (decision: Decision, needs: readonly Need[]) => void
}) {
  function tell(decision: Decision, kind: Check['kind'], needs: readonly Need[]): Decision {
    if (kind === 'take') told(decision, needs)
    return decision
  }

  function unanswered(check: Check, cause: unknown): Decision {
    const { kind, needs } = check
    if (kind === 'force') throw unavailable(cause)
    const known = denials.find(needs, true)
    const decision = known ? decide(known, 'deny-cache', true) : decideWithout(check)
    return tell(decision, kind, needs)
  }

  function answered(
    { check, refused, leasing, lending }: Question,
    { admitted, limits }: Verdict,
    sentAtMs: number,
    mark: number,
  ): Decision {
    const { kind, lease } = check
    const needs = lending ? lending.rest : check.needs
    const taking = kind === 'take'
    if (taking && admitted === 0) denials.learn(needs, limits, sentAtMs, mark)
    if (taking && admitted > 0 && leasing) quotaLeases.admitted(needs, limits)
    if (admitted === 0) lending?.putBack()
    const release = lease !== '' && admitted > 0 ? leases.hold(needs, lease) : undefined
    const own = lending ? lending.merge(limits) : limits
    // A shadow policy may have refused without being asked.
    const all = refused.length === 0 ? own : [...own, ...refused]
    return tell(decide({ admitted, limits: all }, source, false, release), kind, check.needs)
  }

  function askStore(question: Question): Promise<Decision> {
    const { check, lending } = question
    const { mark } = denials.cache
    return new Promise((resolve, reject) => {
      store.ask({
        check: lending ? { ...check, needs: lending.rest } : check,
        answered(verdict, sentAtMs) {
          try {
            resolve(answered(question, verdict, sentAtMs, mark))
          } catch (error) {
            reject(error)
          }
        },
        unanswered(cause) {
          try {
            resolve(unanswered(check, cause))
          } catch (error) {
            reject(error)
          }
        },
      })
    })
  }

  /** Decides without the store; undefined when it has to be asked. */
  function decideHere(kind: Check['kind'], { needs, refused }: Plan): Decision | undefined {
    const enforced = refused.some(({ shadow }) => !shadow)
    if (enforced || needs.length === 0) {
      return decide({ admitted: enforced ? 0 : 1, limits: refused }, 'policy')
    }
    const known = kind === 'force' ? undefined : denials.find(needs, false)
    return known && decide(known, 'deny-cache')
  }

  /** @throws RateLimitError `unavailable` when the store cannot be asked and has to be */
  return function ask(kind: Check['kind'], plan: Plan): Promise<Decision> {
    const { needs, refused, leasing } = plan
    const here = decideHere(kind, plan)
    if (here) return Promise.resolve(tell(here, kind, needs))
    const lending = leasing && kind === 'take' ? lend(quotaLeases, needs) : undefined
    if (lending?.rest.length === 0) {
      const limits = refused.length === 0 ? lending.merge([]) : [...lending.merge([]), ...refused]
      return Promise.resolve(tell(decide({ admitted: 1, limits }, 'lease'), kind, needs))
    }
    const check: Check = { kind, needs, lease: kind === 'take' ? leaseFor(needs) : '', times: 1 }
    if (available()) return askStore({ check, refused, leasing, lending })
    lending?.putBack()
    return Promise.resolve(unanswered(check, undefined))
  }
}

/** What the store is asked, and what is known without it. */
interface Question {
  readonly check: Check
  readonly refused: readonly Limit[]
  readonly leasing: boolean
  readonly lending: Lending | undefined
}

function leaseFor(needs: readonly Need[]): string {
  for (const { policy } of needs) if (policy.algorithm === 'concurrency') return randomUUID()
  return ''
}

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
