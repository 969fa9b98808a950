import type { Policy } from '../policy.ts'
import type { Limit, Need, Store } from '../store.ts'

/** A block of units that are counted in the store, and that this instance may admit until then. */
interface Lease {
  units: number
  readonly untilMs: number
  /** The limit as the store told it, and when. */
  readonly limit: Limit
  readonly toldMs: number
}

/** A need that was met from a lease. */
export interface Lent {
  readonly limit: Limit
  /** For a request that another policy refused. */
  readonly putBack: () => void
}

/** What this instance knows of one key of a policy; new policies begin anew. */
interface Watched {
  readonly policy: Policy
  lease: Lease | undefined
  borrowing: boolean
  /** Units asked for since `periodMs`, and in the period before. */
  asked: number
  before: number
  periodMs: number
}

/** So many keys are watched at most; a key that is dropped loses its units. */
const MAX_KEYS = 1_000
/** At most so many takes are one entry of a batch: a larger lease is of takes that cost more. */
const MAX_TIMES = 100
/** Of what remains an instance takes at most this share, so that the last units are nobody's alone. */
const SHARE = 1 / 4

/**
 * Leases of a quota. Of a key that is hot an instance takes a block of units in one take, and admits
 * them by itself until they are used up or their time is over: what is left then is lost.
 *
 * A unit is counted when the block is taken, at T or later, and admitted before T + ms; the store counts
 * it for windowMs + ms. So what is admitted in a window that ends at t was counted after
 * t - windowMs - ms, where no more than the quota is: no rolling window admits more. Never the other
 * way round: units that are lost are admitted by nobody.
 */
export function createQuotaLeases({ store, now }: { store: Store; now: () => number }) {
  let keys = new Map<string, Watched>()

  function watch({ key, policy, cost }: Need, ms: number, nowMs: number): Watched {
    let watched = keys.get(key)
    if (watched?.policy !== policy) {
      if (keys.size >= MAX_KEYS) keys = new Map()
      const nothing = { lease: undefined, borrowing: false, asked: 0, before: 0 }
      watched = { policy, ...nothing, periodMs: nowMs }
      keys.set(key, watched)
    }
    const ago = nowMs - watched.periodMs
    if (ago >= ms) {
      watched.before = ago < 2 * ms ? watched.asked : 0
      watched.asked = 0
      watched.periodMs = nowMs
    }
    watched.asked += cost
    return watched
  }

  function borrow(need: Need, watched: Watched, units: number, ms: number) {
    const cost = Math.ceil(units / MAX_TIMES)
    const times = Math.floor(units / cost)
    const untilMs = now() + ms
    watched.borrowing = true
    store.ask({
      check: { kind: 'take', needs: [{ ...need, cost }], lease: '', times },
      answered({ admitted, limits: [limit] }) {
        watched.borrowing = false
        const lease = limit && { units: admitted * cost, untilMs, limit, toldMs: now() }
        // Of a key that was forgotten in the meantime nobody will find it.
        watched.lease = lease
      },
      unanswered() {
        // The units may be counted: they are lost.
        watched.borrowing = false
      },
    })
  }

  return {
    /** Meets the need from a lease, if there is one with so many units. */
    take(need: Need): Lent | undefined {
      const { policy, cost, key } = need
      const watched = isLeasing(need) ? keys.get(key) : undefined
      const lease = watched?.policy === policy ? watched.lease : undefined
      if (!lease || !policy.lease || lease.units < cost) return undefined
      const nowMs = now()
      if (nowMs >= lease.untilMs) return undefined
      lease.units -= cost
      watch(need, policy.lease.ms, nowMs)
      const { limit, units, toldMs } = lease
      const ago = nowMs - toldMs
      return {
        limit: {
          ...limit,
          remaining: limit.remaining + units,
          refillMs: Math.max(0, Math.ceil(limit.refillMs - ago)),
          resetMs: Math.max(0, Math.ceil(limit.resetMs - ago)),
          retryMs: 0,
        },
        putBack: () => void (lease.units += cost),
      }
    },
    /** The store admitted a take: of its keys that are hot, what comes next gets a lease. */
    admitted(needs: readonly Need[], limits: readonly Limit[]) {
      for (const [i, need] of needs.entries()) {
        const { lease } = need.policy
        if (!lease || !isLeasing(need)) continue
        const watched = watch(need, lease.ms, now())
        const hot = Math.max(watched.asked, watched.before) >= lease.units
        const units = Math.min(lease.units, Math.floor((limits[i]?.remaining ?? 0) * SHARE))
        if (hot && units >= 2 && !watched.borrowing) borrow(need, watched, units, lease.ms)
      }
    },
    /** What was leased of these keys, or of all, is admitted no more. */
    forget(of?: readonly string[]) {
      if (!of) keys = new Map()
      for (const key of of ?? []) keys.delete(key)
    },
  }
}

export type QuotaLeases = ReturnType<typeof createQuotaLeases>

/** A quota of one's own is asked of the store: what was leased was counted under the policy's. */
function isLeasing({ policy, quota, cost }: Need): boolean {
  return policy.lease !== undefined && quota === policy.quota && cost > 0
}

/** A request of which some needs were met from leases. */
export interface Lending {
  /** What the store has to be asked for. */
  readonly rest: readonly Need[]
  /** The limits of all needs in their order, when the store told those of the rest. */
  readonly merge: (limits: readonly Limit[]) => Limit[]
  /** The request was refused, and is charged nowhere. */
  readonly putBack: () => void
}

/** Meets the needs that leases can meet; undefined when there are none. */
export function lend(quotaLeases: QuotaLeases, needs: readonly Need[]): Lending | undefined {
  const [only] = needs
  if (only && needs.length === 1) {
    const met = quotaLeases.take(only)
    return met && { rest: [], merge: () => [met.limit], putBack: met.putBack }
  }
  const lent = needs.map((need) => quotaLeases.take(need))
  if (!lent.some(Boolean)) return undefined
  return {
    rest: needs.filter((_, i) => !lent[i]),
    merge(limits) {
      const told = limits.values()
      return lent.flatMap((met: Lent | undefined) => met?.limit ?? told.next().value ?? [])
    },
    putBack() {
      for (const met of lent) met?.putBack()
    },
  }
}
