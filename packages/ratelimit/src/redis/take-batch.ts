import type { Policy } from '../policy.ts'
import type { Asked, Check, Need } from '../store.ts'

/** What a batch asks for, each thing once. */
export interface Entries {
  readonly groups: readonly Group[]
  readonly limits: readonly { group: Group; cost: number }[]
  /** The first check of each entry, and how many it has: takes of the same count alone are one. */
  readonly heads: readonly number[]
  readonly sizes: readonly number[]
  /** Of each check the next one of its entry; 0 for none. */
  readonly nexts: readonly number[]
  /** Of each need of each entry its count and its limit, from 1 and in turn. */
  readonly refs: readonly number[]
  /** How many counts there are. */
  readonly counts: number
}

/** Finds what is asked for more than once. */
export function createGatherer(): (batch: readonly Asked[]) => Entries {
  const places = createPlaces()

  return function gather(batch) {
    const groups = createGroups()
    const heads: number[] = []
    const tails: number[] = []
    const sizes: number[] = []
    const nexts: number[] = []
    const refs: number[] = []
    places.begin()

    for (const { check } of batch) {
      const i = nexts.push(0) - 1
      const alone = isAlone(check)
      let joined = -1
      for (const need of check.needs) {
        const group = groups.groupOf(need)
        const limit = groups.limitOf(group, need.cost < 0 ? -need.cost : need.cost)
        const place = places.find(need)
        if (place.group === 0) {
          place.group = group.at
          place.at = group.counts.push(need)
        }
        if (alone && place.entry >= 0 && place.limit === limit) joined = place.entry
        else {
          refs.push(place.group * 256 + place.at, limit)
          if (alone) {
            place.entry = heads.length
            place.limit = limit
          }
        }
      }
      if (joined >= 0) {
        nexts[tails[joined] ?? 0] = i
        sizes[joined] = (sizes[joined] ?? 0) + 1
        tails[joined] = i
      } else {
        heads.push(i)
        tails.push(i)
        sizes.push(1)
      }
    }
    const counts = number(groups.all, refs)
    return { groups: groups.all, limits: groups.limits, heads, sizes, nexts, refs, counts }
  }
}

/** Such takes of one count can be one: as many as fit are admitted, in their order. */
function isAlone({ kind, needs, lease, times }: Check): boolean {
  return (
    needs.length === 1 &&
    kind === 'take' &&
    times === 1 &&
    lease === '' &&
    needs[0]?.policy.shadow === false
  )
}

/** Numbers the counts group by group, which can be done when all are known. */
function number(groups: readonly Group[], refs: number[]): number {
  let counts = 0
  for (const group of groups) {
    group.before = counts
    counts += group.counts.length
  }
  for (let i = 0; i < refs.length; i += 2) {
    const ref = refs[i] ?? 0
    refs[i] = (groups[(ref >>> 8) - 1]?.before ?? 0) + (ref & 255)
  }
  return counts
}

/** Counts of one policy and quota, side by side among the script's keys. */
interface Group {
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
function createGroups() {
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

/** The most counts of a batch: each is named by a byte that is the same in UTF-8. */
export const MAX_COUNTS = 124

const SLOTS = 512

/** A count of a batch; the objects are used again for the next one. */
interface Place {
  prefix: string
  id: string
  /** The group that first asked for it, and where it is there, both from 1. */
  group: number
  at: number
  /** The entry that takes of it alone, and of which limit; -1 for none. */
  entry: number
  limit: number
}

/**
 * Finds the counts of a batch by their names, so that none is in it twice: each would be read, charged
 * and written as if the other were not there. A table of its own, which is neither made anew nor
 * emptied for a batch, for a Map of a hundred names cost a third of the whole client.
 */
function createPlaces() {
  const places: Place[] = []
  /** At a slot the number of the batch and of the place; of an earlier batch it is empty. */
  const slots = new Float64Array(SLOTS)
  let base = 0
  let size = 0

  function placeOf(prefix: string, id: string): Place {
    const at = size
    size += 1
    const place = (places[at] ??= { prefix, id, group: 0, at: 0, entry: -1, limit: 0 })
    place.prefix = prefix
    place.id = id
    place.group = 0
    place.entry = -1
    return place
  }

  return {
    /** Forgets all. */
    begin() {
      base += MAX_COUNTS
      size = 0
    },
    /** Of a count that is new to the batch the group is 0. */
    find({ prefix, id }: Need): Place {
      for (let slot = slotOf(id); ; slot = (slot + 1) & (SLOTS - 1)) {
        const held = (slots[slot] ?? 0) - base
        if (held < 0) {
          slots[slot] = base + size
          return placeOf(prefix, id)
        }
        const place = places[held]
        if (place?.id === id && place.prefix === prefix) return place
      }
    },
  }
}

/** Of the last letters, where names of one kind differ; who makes them alike costs some ten µs. */
function slotOf(id: string): number {
  let hash = id.length
  for (let i = id.length - 1, end = i < 12 ? 0 : i - 11; i >= end; i -= 1) {
    hash = (hash * 31 + id.charCodeAt(i)) | 0
  }
  return hash & (SLOTS - 1)
}
