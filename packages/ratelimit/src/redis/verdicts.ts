import type { Asked, Limit, Need, Verdict } from '../store.ts'
import type { Entries } from './take-batch.ts'

const NEVER = 4_294_967_295

/** What the script answered to each of a batch. @throws RangeError when it is too short */
export function verdictsOf(
  batch: readonly Asked[],
  { heads, nexts, refs, counts }: Entries,
  reply: Buffer,
): Verdict[] {
  const u32s = new DataView(reply.buffer, reply.byteOffset, reply.byteLength)
  const times = reply.byteLength - counts * 8
  const verdicts = Array.from<Verdict>({ length: batch.length })
  let at = 0
  let ref = 0
  for (const head of heads) {
    const size = batch[head]?.check.needs.length ?? 0
    const said = u32s.getUint32(at, true)
    const answer: Answer = { u32s, refs, times, ref, left: at + 4, retries: 0 }
    const retries = said % 2 === 1 ? answer.left + size * 4 : 0
    at = (retries > 0 ? retries : answer.left) + size * 4
    ref += size * 2
    // Those admitted before the last one saw more left, by what came after them.
    let after = said >>> 1
    const alone = nexts[head] === 0
    let i = head
    do {
      const needs = batch[i]?.check.needs ?? []
      const admitted = alone ? after : after > 0 ? 1 : 0
      after -= 1
      answer.retries = alone || admitted === 0 ? retries : 0
      const later = alone || after < 0 ? 0 : after
      verdicts[i] = { admitted, limits: limitsOf(needs, answer, later) }
      i = nexts[i] ?? 0
    } while (i > 0)
  }
  return verdicts
}

/** Where in a reply the numbers of a check are. */
interface Answer {
  readonly u32s: DataView
  readonly refs: readonly number[]
  /** Of the first count; two for each. */
  readonly times: number
  readonly ref: number
  readonly left: number
  /** 0 when nobody refused. */
  retries: number
}

function limitsOf(
  needs: readonly Need[],
  { u32s, refs, times, ref, left, retries }: Answer,
  after: number,
): Limit[] {
  const limits: Limit[] = []
  for (let i = 0; i < needs.length; i += 1) {
    const need = needs[i]
    if (!need) break
    const remaining = u32s.getUint32(left + i * 4, true) + after * need.cost
    const timesAt = times + ((refs[ref + i * 2] ?? 1) - 1) * 8
    const refillMs = u32s.getUint32(timesAt, true)
    const resetMs = u32s.getUint32(timesAt + 4, true)
    const retryMs = retries === 0 ? 0 : u32s.getUint32(retries + i * 4, true)
    limits.push(limitOf(need, remaining, refillMs, resetMs, retryMs))
  }
  return limits
}

/** A limit as the script answered it. */
export function limitOf(
  { policy, quota }: Need,
  remaining: number,
  refillMs: number,
  resetMs: number,
  retryMs: number,
): Limit {
  return {
    policy: policy.name,
    quota,
    windowMs: policy.windowMs,
    algorithm: policy.algorithm,
    shadow: policy.shadow,
    remaining,
    // Others of the batch may have come after a check that left all of it.
    refillMs: remaining >= quota ? 0 : refillMs,
    resetMs: remaining >= quota ? 0 : resetMs,
    retryMs: retryMs === NEVER ? Number.POSITIVE_INFINITY : retryMs,
  }
}
