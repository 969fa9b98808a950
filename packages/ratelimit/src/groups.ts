import type { Need } from './check.ts'
import type { Policy } from './policy.ts'

/** Counts of one policy and quota, side by side among the script's keys. */
export interface Group {
  /** From 1, as the script counts. */
  readonly at: number
  readonly policy: Policy
  readonly quota: number
  readonly keys: string[]
  /** How many counts are in the groups before it. */
  before: number
  /** The costs that are asked of it, and as which limit each is known. */
  readonly costs: { cost: number; limit: number }[]
  /** Another quota of the same policy. */
  readonly next: Group | undefined
}

/** A count, and where it is in its group, from 1. */
export interface Place {
  readonly group: Group
  readonly at: number
}

/** What the checks of a batch ask for, each thing once. */
export function createGroups() {
  const places = new Map<string, Place>()
  const byPolicy = new Map<Policy, Group>()
  const all: Group[] = []
  const limits: { group: Group; cost: number }[] = []

  function groupOf({ policy, quota }: Need): Group {
    const first = byPolicy.get(policy)
    for (let it = first; it; it = it.next) if (it.quota === quota) return it
    const at = all.length + 1
    const group: Group = { at, policy, quota, keys: [], before: 0, costs: [], next: first }
    byPolicy.set(policy, group)
    all.push(group)
    return group
  }

  return {
    all,
    limits,
    /** The number of a need's limit, from 1. */
    limitOf(need: Need): number {
      const group = groupOf(need)
      const cost = Math.abs(need.cost)
      for (const known of group.costs) if (known.cost === cost) return known.limit
      const limit = limits.push({ group, cost })
      group.costs.push({ cost, limit })
      return limit
    },
    /** Its count, which stays in the group that first asked for it. */
    placeOf(need: Need): Place {
      const known = places.get(need.key)
      if (known) return known
      const group = groupOf(need)
      const place = { group, at: group.keys.push(need.key) }
      places.set(need.key, place)
      return place
    },
  }
}
