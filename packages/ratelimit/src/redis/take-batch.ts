import type { Policy } from '../policy.ts'
import type { Check, Need } from '../store.ts'

/** The number of counts in a batch, at most: the index of each is one byte, the same in UTF-8. */
export const MAX_COUNTS = 124

/** A batch for the take script: each policy, quota, cost and count occurs once. */
export interface TakeBatch {
  readonly groups: readonly CountGroup[]
  readonly limits: readonly { group: CountGroup; cost: number }[]
  /**
   * Takes of one count alone are one entry. `heads` is the first check of each entry, `sizes` the
   * number of its checks.
   */
  readonly heads: readonly number[]
  readonly sizes: readonly number[]
  /** For each check the next one of its entry; 0 for none. */
  readonly nexts: readonly number[]
  /** For each need of each entry the index of its count and of its limit, in turn and from 1. */
  readonly refs: readonly number[]
  /** The number of counts. */
  readonly counts: number
}

/** Counts of one policy and quota, side by side among the keys of the script. */
interface CountGroup {
  /** From 1, as in Lua. */
  readonly index: number
  readonly policy: Policy
  readonly quota: number
  readonly counts: Need[]
  /** The number of counts in the groups before it. */
  before: number
  /** The costs of its checks, and the limit of each. */
  readonly costs: { cost: number; limit: number }[]
}

/** Returns a function that finds the parts that the checks of a batch have in common. */
export function createBatchBuilder(): (batch: readonly { check: Check }[]) => TakeBatch {
  const table = createCountTable()

  return function build(batch) {
    const groups = createGroups()
    const heads: number[] = []
    const tails: number[] = []
    const sizes: number[] = []
    const nexts: number[] = []
    const refs: number[] = []
    table.clear()

    for (const { check } of batch) {
      const i = nexts.push(0) - 1
      const canJoin = isSingleTake(check)
      let entry = -1
      for (const need of check.needs) {
        const group = groups.groupOf(need)
        const limit = groups.limitOf(group, need.cost < 0 ? -need.cost : need.cost)
        const row = table.rowOf(need)
        if (row.group === 0) {
          row.group = group.index
          row.position = group.counts.push(need)
        }
        if (canJoin && row.entry >= 0 && row.limit === limit) entry = row.entry
        else {
          refs.push(row.group * 256 + row.position, limit)
          if (canJoin) {
            row.entry = heads.length
            row.limit = limit
          }
        }
      }
      if (entry >= 0) {
        nexts[tails[entry] ?? 0] = i
        sizes[entry] = (sizes[entry] ?? 0) + 1
        tails[entry] = i
      } else {
        heads.push(i)
        tails.push(i)
        sizes.push(1)
      }
    }
    const counts = numberCounts(groups.all, refs)
    return { groups: groups.all, limits: groups.limits, heads, sizes, nexts, refs, counts }
  }
}

/** Several such takes of one count can be one entry. They are admitted in their order until one does not fit. */
function isSingleTake({ kind, needs, holder, times }: Check): boolean {
  return (
    needs.length === 1 &&
    kind === 'take' &&
    times === 1 &&
    holder === '' &&
    needs[0]?.policy.shadow === false
  )
}

/** Numbers the counts group by group, when all groups are complete. Returns their number. */
function numberCounts(groups: readonly CountGroup[], refs: number[]): number {
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

/** The policies, quotas and costs of a batch, each once. */
function createGroups() {
  const all: CountGroup[] = []
  const limits: { group: CountGroup; cost: number }[] = []
  let last = -1

  return {
    all,
    limits,
    groupOf({ policy, quota }: Need): CountGroup {
      // Most checks name the same policies in the same order.
      for (let tried = 0; tried < all.length; tried += 1) {
        last = last + 1 < all.length ? last + 1 : 0
        const group = all[last]
        if (group?.policy === policy && group.quota === quota) return group
      }
      last = all.length
      const group: CountGroup = { index: last + 1, policy, quota, counts: [], before: 0, costs: [] }
      all.push(group)
      return group
    },
    /** The index of a limit, from 1. */
    limitOf(group: CountGroup, cost: number): number {
      for (const existing of group.costs) if (existing.cost === cost) return existing.limit
      const limit = limits.push({ group, cost })
      group.costs.push({ cost, limit })
      return limit
    },
  }
}

/** A count of a batch. The objects are used again for the next batch. */
interface CountRow {
  prefix: string
  id: string
  /** Its group, and its position there, both from 1; group 0 if the count is new to the batch. */
  group: number
  position: number
  /** The entry of single takes of it, and the limit of the entry; -1 for none. */
  entry: number
  limit: number
}

const SLOTS = 512

/**
 * Finds the counts of a batch by name, so that no count is in it twice: the script would charge and
 * write each of them without the other. This hash table is neither created nor emptied for a batch,
 * because a Map of a hundred names cost a third of the processor time of the client.
 */
function createCountTable() {
  const rows: CountRow[] = []
  /** In each slot the base of a batch plus the index of a row. A slot of an earlier batch is free. */
  const slots = new Float64Array(SLOTS)
  let base = 0
  let size = 0

  function addRow(prefix: string, id: string): CountRow {
    const index = size
    size += 1
    const row = (rows[index] ??= { prefix, id, group: 0, position: 0, entry: -1, limit: 0 })
    row.prefix = prefix
    row.id = id
    row.group = 0
    row.entry = -1
    return row
  }

  return {
    /** Removes all rows. */
    clear() {
      base += MAX_COUNTS
      size = 0
    },
    /** The row of a count, which is added if the count is new to the batch. */
    rowOf({ prefix, id }: Need): CountRow {
      for (let slot = slotOf(id); ; slot = (slot + 1) & (SLOTS - 1)) {
        const index = (slots[slot] ?? 0) - base
        if (index < 0) {
          slots[slot] = base + size
          return addRow(prefix, id)
        }
        const row = rows[index]
        if (row?.id === id && row.prefix === prefix) return row
      }
    },
  }
}

/** A hash of the last characters, which differ most. Identifiers with one hash cost about 10 us. */
function slotOf(id: string): number {
  let hash = id.length
  for (let i = id.length - 1, end = i < 12 ? 0 : i - 11; i >= end; i -= 1) {
    hash = (hash * 31 + id.charCodeAt(i)) | 0
  }
  return hash & (SLOTS - 1)
}
