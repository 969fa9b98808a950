import type { Policy } from '../policy.ts'
import type { Limit, Need, Store } from '../store.ts'

/** Units that the store has counted and that this instance may admit until `untilMs`. */
interface QuotaBlock {
  units: number
  readonly untilMs: number
  /** The limit in the reply of the store, and the time of the reply. */
  readonly limit: Limit
  readonly replyMs: number
}

/** The state of one key of a policy. New policies begin with a new state. */
interface WatchedKey {
  readonly policy: Policy
  block: QuotaBlock | undefined
  isReserving: boolean
  /** The units requested since `periodMs`, and in the period before. */
  requested: number
  requestedBefore: number
  periodMs: number
}

/** Units of a block that one need uses. */
interface Units {
  readonly limit: Limit
  /** Puts the units back, for a request that another policy refuses. */
  readonly putBack: () => void
}

/** A request whose needs are partly or fully served from quota blocks. */
export interface Loan {
  /** The needs that the store has to count. */
  readonly rest: readonly Need[]
  /** The limits of all needs in their order, given those of the rest. */
  readonly merge: (limits: readonly Limit[]) => Limit[]
  /** Puts all units back: the request was refused, and is charged under no policy (R3). */
  readonly putBack: () => void
}

/** The number of watched keys, at most (R8). The units of a dropped key are lost. */
const MAX_KEYS = 1_000
/** The number of takes in one entry of a batch, at most. A larger block has takes of a higher cost. */
const MAX_TIMES = 100
/** The share of the remaining units in one block, at most: other instances get the last units. */
const MAX_SHARE = 1 / 4

/**
 * Quota blocks, for policies with a `lease`. An instance reserves a block of units of a hot key in one
 * take. It admits them without the store until they are used up or their time has passed. The units
 * that are left then are lost.
 *
 * R11: a unit is counted when its block is reserved, at T or later, and it is admitted before T + ms.
 * The store counts it for windowMs + ms. All units that are admitted in a window that ends at t were
 * counted after t - windowMs - ms, and no more than the quota is counted there. So no rolling window
 * admits more than the quota. A lost unit only lowers the number of admitted units.
 */
export function createQuotaBlocks({ store, now }: { store: Store; now: () => number }) {
  let keys = new Map<string, WatchedKey>()

  /** Adds the cost of the need to the demand for its key. */
  function watch({ key, policy, cost }: Need, ms: number, nowMs: number): WatchedKey {
    let watched = keys.get(key)
    if (watched?.policy !== policy) {
      if (keys.size >= MAX_KEYS) keys = new Map()
      const empty = { block: undefined, isReserving: false, requested: 0, requestedBefore: 0 }
      watched = { policy, ...empty, periodMs: nowMs }
      keys.set(key, watched)
    }
    const elapsedMs = nowMs - watched.periodMs
    if (elapsedMs >= ms) {
      watched.requestedBefore = elapsedMs < 2 * ms ? watched.requested : 0
      watched.requested = 0
      watched.periodMs = nowMs
    }
    watched.requested += cost
    return watched
  }

  function reserveBlock(need: Need, watched: WatchedKey, units: number, ms: number) {
    const cost = Math.ceil(units / MAX_TIMES)
    const times = Math.floor(units / cost)
    const untilMs = now() + ms
    watched.isReserving = true
    store.check({
      check: { kind: 'take', needs: [{ ...need, cost }], holder: '', times },
      onVerdict({ admitted, limits: [limit] }) {
        watched.isReserving = false
        // If the key was dropped in the meantime, no request finds this state.
        watched.block = limit && { units: admitted * cost, untilMs, limit, replyMs: now() }
      },
      onError() {
        // The units may have been counted. They are lost.
        watched.isReserving = false
      },
    })
  }

  return {
    /** Takes units from the block of the key; undefined if the block does not contain enough. */
    take(need: Need): Units | undefined {
      const { policy, cost, key } = need
      const watched = usesBlocks(need) ? keys.get(key) : undefined
      const block = watched?.policy === policy ? watched.block : undefined
      if (!block || !policy.lease || block.units < cost) return undefined
      const nowMs = now()
      if (nowMs >= block.untilMs) return undefined
      block.units -= cost
      watch(need, policy.lease.ms, nowMs)
      const { limit, units, replyMs } = block
      const elapsedMs = nowMs - replyMs
      return {
        limit: {
          ...limit,
          remaining: limit.remaining + units,
          refillMs: Math.max(0, Math.ceil(limit.refillMs - elapsedMs)),
          resetMs: Math.max(0, Math.ceil(limit.resetMs - elapsedMs)),
          retryMs: 0,
        },
        putBack: () => void (block.units += cost),
      }
    },
    /** The store admitted a take: reserves a block of each hot key among the needs. */
    reserve(needs: readonly Need[], limits: readonly Limit[]) {
      for (const [i, need] of needs.entries()) {
        const { lease } = need.policy
        if (!lease || !usesBlocks(need)) continue
        const watched = watch(need, lease.ms, now())
        const isHot = Math.max(watched.requested, watched.requestedBefore) >= lease.units
        const remaining = limits[i]?.remaining ?? 0
        const units = Math.min(lease.units, Math.floor(remaining * MAX_SHARE))
        if (isHot && units >= 2 && !watched.isReserving) {
          reserveBlock(need, watched, units, lease.ms)
        }
      }
    },
    /** Drops the blocks of these keys, or all. Their units are not admitted. */
    forget(forgotten?: readonly string[]) {
      if (!forgotten) keys = new Map()
      for (const key of forgotten ?? []) keys.delete(key)
    },
  }
}

export type QuotaBlocks = ReturnType<typeof createQuotaBlocks>

/** A take with another quota is counted by the store: blocks count under the policy's quota. */
function usesBlocks({ policy, quota, cost }: Need): boolean {
  return policy.lease !== undefined && quota === policy.quota && cost > 0
}

/** Serves needs from quota blocks; undefined if no block serves any. */
export function lendUnits(quotaBlocks: QuotaBlocks, needs: readonly Need[]): Loan | undefined {
  const [only] = needs
  if (only && needs.length === 1) {
    const units = quotaBlocks.take(only)
    return units && { rest: [], merge: () => [units.limit], putBack: units.putBack }
  }
  const lent = needs.map((need) => quotaBlocks.take(need))
  if (!lent.some(Boolean)) return undefined
  return {
    rest: needs.filter((_, i) => !lent[i]),
    merge(limits) {
      const counted = limits.values()
      return lent.flatMap((units) => units?.limit ?? counted.next().value ?? [])
    },
    putBack() {
      for (const units of lent) units?.putBack()
    },
  }
}
