import type { Waiting } from './batch.ts'
import { createGroups, type Place } from './groups.ts'

const KINDS = { sliding: 1, 'token-bucket': 2, fixed: 3, concurrency: 4 } as const

/** In place of how many requests: charge, or give back, without asking. */
const FORCE = 127
const GIVE_BACK = 126

/** Requests that ask the same, as one. */
interface Entry {
  readonly members: Waiting[]
  readonly places: Place[]
  readonly limits: number[]
}

/** The arguments of the take script for a batch, and how to read its answer. */
export interface Encoded {
  readonly args: string[]
  readonly entries: readonly Entry[]
  /** How many counts there are. */
  readonly counts: number
}

/** Adds the batch's counts to `keys`. */
export function encode(batch: readonly Waiting[], keys: string[]): Encoded {
  const groups = createGroups()
  const entries = gather(batch, groups)
  let counts = 0
  let size = byte(0, groups.all.length)
  for (const group of groups.all) {
    group.before = counts
    counts += group.keys.length
    for (const key of group.keys) keys.push(key)
    size = byte(size, KINDS[group.policy.algorithm])
    size = long(long(size, group.policy.windowMs, 5), group.quota, 4)
    size = byte(size, counts)
  }
  size = byte(size, groups.limits.length)
  for (const { group, cost } of groups.limits) {
    size = byte(long(byte(size, group.at), cost, 4), group.policy.shadow ? 1 : 0)
  }
  for (const { members, places, limits } of entries) {
    size = byte(byte(size, timesOf(members)), places.length)
    let i = 0
    for (const { group, at } of places) {
      size = byte(byte(size, group.before + at), limits[i] ?? 0)
      i += 1
    }
  }
  const text = bytes.toString('latin1', 0, size)
  const leased = batch.some(({ check }) => check.lease !== '')
  const leases = leased ? entries.map(({ members }) => members[0]?.check.lease ?? '') : []
  return { args: [text, ...leases], entries, counts }
}

function gather(batch: readonly Waiting[], groups: ReturnType<typeof createGroups>): Entry[] {
  const singles = new Map<Place, Entry>()
  const entries: Entry[] = []
  for (const waiting of batch) {
    const { kind, needs, lease } = waiting.check
    const entry: Entry = { members: [waiting], places: [], limits: [] }
    for (const need of needs) {
      entry.limits.push(groups.limitOf(need))
      entry.places.push(groups.placeOf(need))
    }
    const [place] = entry.places
    if (
      place &&
      needs.length === 1 &&
      kind === 'take' &&
      lease === '' &&
      !needs[0]?.policy.shadow
    ) {
      const before = singles.get(place)
      if (before && before.limits[0] === entry.limits[0]) {
        before.members.push(waiting)
        continue
      }
      singles.set(place, entry)
    }
    entries.push(entry)
  }
  return entries
}

function timesOf(members: readonly Waiting[]): number {
  const check = members[0]?.check
  if (check?.kind === 'take') return members.length
  if (check?.kind === 'peek') return 0
  return (check?.needs[0]?.cost ?? 0) < 0 ? GIVE_BACK : FORCE
}

/** Where a batch is written before it becomes text, each time anew. */
const bytes = Buffer.alloc(8_192)

function byte(at: number, n: number): number {
  bytes[at] = n
  return at + 1
}

/** A number by 7 bits a byte, the lowest first: text of such bytes is the same in UTF-8. */
function long(at: number, n: number, length: number): number {
  let rest = n
  for (let i = at; i < at + length; i += 1) {
    bytes[i] = rest % 128
    rest = Math.floor(rest / 128)
  }
  return at + length
}
