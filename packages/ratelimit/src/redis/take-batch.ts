import type { Asked, Check } from '../store.ts'
import { createGroups, type Group } from './groups.ts'
import { createPlaces } from './places.ts'

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
