import type { Waiting } from './batch.ts'
import type { Limit, Need, Verdict } from './check.ts'
import type { Policy } from './policy.ts'

const KINDS = { sliding: 1, 'token-bucket': 2, fixed: 3, concurrency: 4 } as const
const NEVER = 4_294_967_295

/** In place of how many requests: charge without asking. */
const FORCE = String.fromCharCode(127)

/** Requests that ask the same of one count, as one. */
interface Group {
  readonly members: Waiting[]
  readonly needs: readonly Need[]
  readonly limit: number
  readonly ops: string
}

/** The arguments of the take script for a batch, whose keys are added, and how to read its answer. */
export function encode(batch: readonly Waiting[], keys: string[]) {
  const keyIndex = new Map<string, number>()
  const limitIndex = new Map<string, number>()
  const singles = new Map<number, Group>()
  const groups: Group[] = []
  let leased = false

  for (const waiting of batch) {
    const { kind, needs, lease } = waiting.check
    let ops = String.fromCharCode(needs.length)
    let key = 0
    let limit = 0
    for (const need of needs) {
      key = indexOf(keyIndex, need.key)
      limit = indexOf(limitIndex, need.text ?? limitText(need.policy, need.quota, need.cost))
      ops += String.fromCharCode(key, limit)
    }
    const single = needs.length === 1 && kind === 'take' && lease === '' && !needs[0]?.policy.shadow
    const before = single ? singles.get(key) : undefined
    if (before?.limit === limit) {
      before.members.push(waiting)
      continue
    }
    const group = { members: [waiting], needs, limit, ops }
    if (single) singles.set(key, group)
    if (lease !== '') leased = true
    groups.push(group)
  }
  for (const key of keyIndex.keys()) keys.push(key)
  const leases = leased ? groups.map(({ members }) => `"${members[0]?.check.lease ?? ''}"`) : []
  let ops = ''
  for (const group of groups) ops += timesOf(group.members) + group.ops
  return { args: [`[[${[...limitIndex.keys()].join(',')}],[${leases.join(',')}]]`, ops], groups }
}

function indexOf(index: Map<string, number>, name: string): number {
  let at = index.get(name)
  if (at === undefined) {
    at = index.size + 1
    index.set(name, at)
  }
  return at
}

function timesOf(members: readonly Waiting[]): string {
  const kind = members[0]?.check.kind
  if (kind === 'force') return FORCE
  return String.fromCharCode(kind === 'take' ? members.length : 0)
}

/** A limit as the script reads it. */
export function limitText(policy: Policy, quota: number, cost: number): string {
  const { algorithm, windowMs, shadow } = policy
  return `[${KINDS[algorithm]},${windowMs},${quota},${cost},${shadow ? 1 : 0}]`
}

/** Tells every member of a batch what the script answered. @throws RangeError when it is too short */
export function settle(groups: readonly Group[], reply: Buffer): void {
  let at = 0
  for (const { members, needs } of groups) {
    const admitted = reply.readUInt32LE(at)
    at += 4
    for (const [i, { resolve }] of members.entries()) {
      resolve(readVerdict(reply, at, needs, i < admitted, admitted - 1 - i))
    }
    at += needs.length * 16
  }
}

/** Those admitted before the last one saw more left, by what came after them. */
function readVerdict(
  reply: Buffer,
  at: number,
  needs: readonly Need[],
  allowed: boolean,
  after: number,
): Verdict {
  const limits: Limit[] = []
  for (const { policy, quota, cost } of needs) {
    const later = allowed && after > 0 ? after * cost : 0
    const retry = allowed && needs.length === 1 && !policy.shadow ? 0 : reply.readUInt32LE(at + 12)
    limits.push({
      policy: policy.name,
      quota,
      windowMs: policy.windowMs,
      algorithm: policy.algorithm,
      shadow: policy.shadow,
      remaining: reply.readUInt32LE(at) + later,
      refillMs: reply.readUInt32LE(at + 4),
      resetMs: reply.readUInt32LE(at + 8),
      retryMs: retry === NEVER ? Number.POSITIVE_INFINITY : retry,
    })
    at += 16
  }
  return { allowed, limits }
}
