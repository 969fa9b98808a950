import type { Policy } from '../policy.ts'
import type { Need } from '../store.ts'

/** Counts of one policy and quota, side by side among the script's keys. */
export interface Group {
  /** From 1, as the script counts. */
  readonly at: number
  readonly policy: Policy
  readonly quota: number
  readonly counts: Need[]
  /** How many counts are in the groups before it. */
  before: number
  /** The costs that are asked of it, and as which limit each is known. */
  readonly costs: { cost: number; limit: number }[]
}

/** The policies, quotas and costs that the checks of a batch ask for, each once. */
export function createGroups() {
  const all: Group[] = []
  const limits: { group: Group; cost: number }[] = []
  let last = -1

  return {
    all,
    limits,
    groupOf({ policy, quota }: Need): Group {
      // Most checks ask for the same policies in the same order.
      for (let tried = 0; tried < all.length; tried += 1) {
        last = last + 1 < all.length ? last + 1 : 0
        const group = all[last]
        if (group?.policy === policy && group.quota === quota) return group
      }
      last = all.length
      const group: Group = { at: last + 1, policy, quota, counts: [], before: 0, costs: [] }
      all.push(group)
      return group
    },
    /** The number of a limit, from 1. */
    limitOf(group: Group, cost: number): number {
      for (const known of group.costs) if (known.cost === cost) return known.limit
      const limit = limits.push({ group, cost })
      group.costs.push({ cost, limit })
      return limit
    },
  }
}
