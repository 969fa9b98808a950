import type { Counter } from '../algorithms/algorithm.ts'
import { createCounter } from '../algorithms/algorithms.ts'
import { type Holders, isHolders } from '../algorithms/concurrency.ts'
import { type LimiterKeys, limiterKeys, shapeOf } from '../keys.ts'
import type { Check, Limit, Need, Store, Verdict } from '../store.ts'

/** A store that decides at once. */
export interface MemoryStore extends Store {
  checkNow(check: Check): Verdict
  /** Deletes all counts. */
  clear(): void
}

interface Count {
  readonly counter: Counter
  readonly shape: string
}

/**
 * Counts in this process: for an app with one instance, and while Redis is unavailable. At most
 * `maxKeys` subjects are counted (R8). Ended counts are dropped first, then the oldest.
 */
export function createMemoryStore({
  now = () => performance.now(),
  maxKeys = 100_000,
  keys: keyNames = limiterKeys(),
}: { now?: () => number; maxKeys?: number; keys?: LimiterKeys } = {}): MemoryStore {
  /** Subject -> its counts, one for each shape. */
  const counts = new Map<string, Count[]>()
  const blocks = new Map<string, number>()
  let totals = new Map<string, number>()
  let refusals = new Map<string, number>()

  function counterOf({ key, policy }: Need): Counter {
    const shape = shapeOf(policy)
    const all = counts.get(key) ?? []
    let counter = all.find((count) => count.shape === shape)?.counter
    if (!counter) {
      if (counts.size >= maxKeys) makeRoom()
      counter = createCounter(policy)
      const nowMs = now()
      const others = all.filter((count) => count.counter.endsAtMs() > nowMs)
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

  function checkOnce({ kind, needs, holder }: Check): Verdict {
    const nowMs = now()
    const tested = needs.map((need) => {
      const counter = counterOf(need)
      const blockedMs = Math.max(0, (blocks.get(need.key) ?? 0) - nowMs)
      const isOver = counter.used(nowMs, need.quota) + need.cost > need.quota + 1e-9
      return { need, counter, blockedMs, isOver, isFree: !isOver && blockedMs === 0 }
    })
    const isAllowed =
      kind === 'force' || tested.every(({ isFree, need }) => isFree || need.policy.shadow)
    const limits = tested.map(({ need, counter, blockedMs, isOver, isFree }) => {
      const isCharged = kind === 'force' || (kind === 'take' && isAllowed && isFree)
      if (isCharged && need.cost !== 0) counter.charge(nowMs, need.cost, holder)
      return limitOf(
        need,
        counter,
        nowMs,
        isFree || kind === 'force' ? undefined : { blockedMs, isOver },
      )
    })
    return { admitted: isAllowed ? 1 : 0, limits }
  }

  return {
    checkNow,
    check({ check, onVerdict, onError }) {
      const sentAtMs = performance.now()
      // The verdict comes later, like that of a remote store.
      void Promise.resolve(check).then((sent) => onVerdict(checkNow(sent), sentAtMs), onError)
    },
    async rewardOthers(needs) {
      const nowMs = now()
      for (const { key, policy, quota, cost } of needs) {
        const policyShape = shapeOf(policy)
        for (const { counter, shape } of counts.get(key) ?? []) {
          if (shape === policyShape || isHolders(counter)) continue
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
    async release(keys, holder) {
      for (const key of keys) holdersOf(key)?.release(holder)
    },
    async renew(keys, holder, windowMs) {
      for (const key of keys) holdersOf(key)?.renew(holder, now() + windowMs)
    },
    async addActivity(activity) {
      totals = sumOf(totals, activity.totals)
      refusals = sumOf(refusals, activity.limited)
    },
    async report(_minutes, top) {
      const names = new Set([...totals.keys()].map((field) => field.split('|')[0] ?? ''))
      const count = (policy: string, outcome: string) => totals.get(`${policy}|${outcome}`) ?? 0
      const most = [...refusals].toSorted(([, a], [, b]) => b - a).slice(0, top)
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

/** The number of keys with counted refusals, at most. */
const MAX_REFUSED = 1_000

function sumOf(first: ReadonlyMap<string, number>, second: ReadonlyMap<string, number>) {
  const sums = new Map(first)
  for (const [name, n] of second) sums.set(name, (sums.get(name) ?? 0) + n)
  if (sums.size <= MAX_REFUSED) return sums
  return new Map([...sums].toSorted(([, a], [, b]) => b - a).slice(0, MAX_REFUSED / 2))
}

function limitOf(
  { policy, quota, cost }: Need,
  counter: Counter,
  nowMs: number,
  refused: { blockedMs: number; isOver: boolean } | undefined,
): Limit {
  const used = counter.used(nowMs, quota)
  const { refillMs, resetMs } = used > 0 ? counter.times(nowMs, quota) : { refillMs: 0, resetMs: 0 }
  let retryMs = 0
  if (refused) {
    const waitMs = refused.isOver && cost <= quota ? counter.retryMs(nowMs, cost, quota) : 0
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
