import { countedMs } from '../policy.ts'
import type { Asked } from '../store.ts'
import type { Entries } from './take-batch.ts'

const KINDS = { sliding: 1, 'token-bucket': 2, fixed: 3, concurrency: 4 } as const

/** In place of how many requests: charge, or give back, without asking. */
const FORCE = 127
const GIVE_BACK = 126

/** The arguments of the take script for a batch. */
export function encode(
  batch: readonly Asked[],
  { groups, limits, heads, sizes, refs }: Entries,
): string[] {
  let counts = 0
  let size = byte(0, groups.length)
  for (const { counts: own, policy, quota } of groups) {
    counts += own.length
    size = byte(size, KINDS[policy.algorithm])
    size = long(long(size, countedMs(policy), 5), quota, 4)
    size = byte(size, counts)
  }
  size = byte(size, limits.length)
  for (const { group, cost } of limits) {
    size = byte(long(byte(size, group.at), cost, 4), group.policy.shadow ? 1 : 0)
  }
  let ref = 0
  for (const [i, head] of heads.entries()) {
    const asked = batch[head]
    if (!asked) break
    const { length } = asked.check.needs
    size = byte(byte(size, timesOf(asked, sizes[i] ?? 1)), length)
    for (const end = ref + 2 * length; ref < end; ref += 1) size = byte(size, refs[ref] ?? 0)
  }
  const text = bytes.toString('latin1', 0, size)
  const leased = batch.some(({ check }) => check.lease !== '')
  return leased ? [text, ...heads.map((head) => batch[head]?.check.lease ?? '')] : [text]
}

function timesOf({ check }: Asked, size: number): number {
  if (check.kind === 'take') return check.times > 1 ? check.times : size
  if (check.kind === 'peek') return 0
  return (check.needs[0]?.cost ?? 0) < 0 ? GIVE_BACK : FORCE
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
