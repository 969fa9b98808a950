import type { Counter } from '../algorithms/algorithm.ts'
import { createCounter } from '../algorithms/algorithms.ts'
import { type Holders, isHolders } from '../algorithms/concurrency.ts'
import { type LimiterKeys, limiterKeys, shapeOf } from '../keys.ts'
import type { Check, Limit, Need, Store, Verdict } from '../store.ts'

/** A store that answers at once. */
export interface MemoryStore extends Store {
  checkNow(check: Check): Verdict
  /** Forgets everything. */
  clear(): void
}

interface Counted {
  readonly counter: Counter
  readonly shape: string
}

/**
 * Counts in this process: for one instance, and for what an instance does while Redis is away.
 * At most `maxKeys` counts are kept; those that ended go first, then the oldest.
 */
export function createMemoryStore({
  now = () => performance.now(),
  maxKeys = 100_000,
  keys: keyNames = limiterKeys(),
}: { now?: () => number; maxKeys?: number; keys?: LimiterKeys } = {}): MemoryStore {
  /** By subject, a count of each shape. */
  const counts = new Map<string, Counted[]>()
  const blocks = new Map<string, number>()
  let totals = new Map<string, number>()
  let refused = new Map<string, number>()

  function counterOf({ key, policy }: Need): Counter {
    const shape = shapeOf(policy)
    const all = counts.get(key) ?? []
    let counter = all.find((counted) => counted.shape === shape)?.counter
    if (!counter) {
      if (counts.size >= maxKeys) makeRoom()
      counter = createCounter(policy)
      const nowMs = now()
      const others = all.filter((counted) => counted.counter.endsAtMs() > nowMs)
      counts.set(key, [...others, { counter, shape }])
    }
    if (isHolders(counter)) counter.windowMs = policy.windowMs
    return counter
  }

  function holdersOf(key: string): Holders | undefined {
    return counts.get(key)?.flatMap(({ counter }) => (isHolders(counter) ? [counter] : []))[0]
  }

  function makeRoom() {
    const nowMs = now()
    for (const [key, all] of counts) {
      if (all.every(({ counter }) => counter.endsAtMs() <= nowMs)) counts.delete(key)
    }
    for (const key of counts.keys()) {
      if (counts.size <= maxKeys * 0.9) return
      counts.delete(key)
    }
  }

  function checkNow(check: Check): Verdict {
    let verdict = checkOnce(check)
    let admitted = verdict.admitted
    while (admitted > 0 && admitted < check.times && verdict.admitted > 0) {
      verdict = checkOnce(check)
      admitted += verdict.admitted
    }
    return { admitted, limits: verdict.limits }
  }

  function checkOnce({ kind, needs, lease }: Check): Verdict {
    const nowMs = now()
    const asked = needs.map((need) => {
      const counter = counterOf(need)
      const blockedMs = Math.max(0, (blocks.get(need.key) ?? 0) - nowMs)
      const over = counter.used(nowMs, need.quota) + need.cost > need.quota + 1e-9
      return { need, counter, blockedMs, over, fits: !over && blockedMs === 0 }
    })
    const allowed = kind === 'force' || asked.every(({ fits, need }) => fits || need.policy.shadow)
    const limits = asked.map(({ need, counter, blockedMs, over, fits }) => {
      const charged = kind === 'force' || (kind === 'take' && allowed && fits)
      if (charged && need.cost !== 0) counter.charge(nowMs, need.cost, lease)
      return limitOf(
        need,
        counter,
        nowMs,
        fits || kind === 'force' ? undefined : { blockedMs, over },
      )
    })
    return { admitted: allowed ? 1 : 0, limits }
  }

  return {
    checkNow,
    ask({ check, answered, unanswered }) {
      const sentAtMs = performance.now()
      // Told later, as by a store elsewhere.
      void Promise.resolve(check).then((it) => answered(checkNow(it), sentAtMs), unanswered)
    },
    async rewardOthers(needs) {
      const nowMs = now()
      for (const { key, policy, quota, cost } of needs) {
        const own = shapeOf(policy)
        for (const { counter, shape } of counts.get(key) ?? []) {
          if (shape === own || isHolders(counter)) continue
          counter.used(nowMs, quota)
          counter.charge(nowMs, cost, '')
        }
      }
    },
    async reset(keys) {
      for (const key of keys) {
        counts.delete(key)
        blocks.delete(key)
      }
    },
    async block(keys, ms) {
      const nowMs = now()
      for (const [key, untilMs] of blocks) if (untilMs <= nowMs) blocks.delete(key)
      for (const key of keys) {
        if (ms > 0) blocks.set(key, nowMs + ms)
        else blocks.delete(key)
      }
    },
    async release(keys, lease) {
      for (const key of keys) holdersOf(key)?.release(lease)
    },
    async renew(keys, lease, windowMs) {
      for (const key of keys) holdersOf(key)?.renew(lease, now() + windowMs)
    },
    async note(activity) {
      totals = added(totals, activity.totals)
      refused = added(refused, activity.limited)
    },
    async report(_minutes, top) {
      const names = new Set([...totals.keys()].map((field) => field.split('|')[0] ?? ''))
      const count = (policy: string, what: string) => totals.get(`${policy}|${what}`) ?? 0
      const most = [...refused].toSorted(([, a], [, b]) => b - a).slice(0, top)
      const nowMs = now()
      const blocked = [...blocks].filter(([, untilMs]) => untilMs > nowMs).slice(0, top)
      return {
        policies: [...names].map((policy) => ({
          policy,
          allowed: count(policy, 'allowed'),
          limited: count(policy, 'limited'),
          unavailable: count(policy, 'unavailable'),
        })),
        limited: most.map(([key, n]) => ({ ...keyNames.parseSubject(key), count: n })),
        blocked: blocked.map(([key, untilMs]) => ({
          ...keyNames.parseSubject(key),
          endsInMs: Math.ceil(untilMs - nowMs),
        })),
      }
    },
    clear() {
      counts.clear()
    },
  }
}

/** So many keys' refusals are kept. */
const MAX_REFUSED = 1_000

function added(to: ReadonlyMap<string, number>, more: ReadonlyMap<string, number>) {
  const sums = new Map(to)
  for (const [name, n] of more) sums.set(name, (sums.get(name) ?? 0) + n)
  if (sums.size <= MAX_REFUSED) return sums
  return new Map([...sums].toSorted(([, a], [, b]) => b - a).slice(0, MAX_REFUSED / 2))
}

function limitOf(
  { policy, quota, cost }: Need,
  counter: Counter,
  nowMs: number,
  refused: { blockedMs: number; over: boolean } | undefined,
): Limit {
  const used = counter.used(nowMs, quota)
  const { refillMs, resetMs } = used > 0 ? counter.times(nowMs, quota) : { refillMs: 0, resetMs: 0 }
  let retryMs = 0
  if (refused) {
    const waitMs = refused.over && cost <= quota ? counter.retryMs(nowMs, cost, quota) : 0
    retryMs = Math.max(1, Math.ceil(Math.max(waitMs, refused.blockedMs)))
    if (cost > quota || quota === 0) retryMs = Number.POSITIVE_INFINITY
  }
  return {
    policy: policy.name,
    quota,
    windowMs: policy.windowMs,
    algorithm: policy.algorithm,
    shadow: policy.shadow,
    remaining: Math.max(0, Math.floor(quota - used + 1e-9)),
    refillMs: Math.max(0, Math.ceil(refillMs - 1e-6)),
    resetMs: Math.max(0, Math.ceil(resetMs - 1e-6)),
    retryMs,
  }
}
