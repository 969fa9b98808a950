import type { Limit, Need } from './check.ts'
import type { Place } from './groups.ts'
import type { Encoded } from './wire.ts'

const NEVER = 4_294_967_295

/** Tells every member of a batch what the script answered. @throws RangeError when it is too short */
export function settle({ entries, counts }: Encoded, reply: Buffer): void {
  const u32s = new DataView(reply.buffer, reply.byteOffset, reply.byteLength)
  const times = reply.byteLength - counts * 8
  let at = 0
  for (const { members, places } of entries) {
    const said = u32s.getUint32(at, true)
    const admitted = said >>> 1
    const left = at + 4
    at = left + places.length * 4
    const retries = said % 2 === 1 ? at : 0
    if (retries > 0) at += places.length * 4
    // Those admitted before the last one saw more left, by what came after them.
    let after = admitted
    for (const { check, resolve } of members) {
      after -= 1
      const allowed = after >= 0
      const answer: Answer = {
        u32s,
        places,
        times,
        left,
        retries: retries > 0 && !(allowed && members.length > 1) ? retries : 0,
      }
      resolve({ allowed, limits: limitsOf(check.needs, answer, allowed ? after : 0) })
    }
  }
}

/** Where in a reply the numbers of a check are. */
interface Answer {
  readonly u32s: DataView
  readonly places: readonly Place[]
  /** Of the first count; two for each. */
  readonly times: number
  readonly left: number
  /** 0 when nobody refused. */
  readonly retries: number
}

function limitsOf(
  needs: readonly Need[],
  { u32s, places, times, left, retries }: Answer,
  after: number,
) {
  const limits: Limit[] = []
  let i = 0
  for (const { group, at } of places) {
    const need = needs[i]
    if (!need) break
    const { policy, quota, cost } = need
    const remaining = u32s.getUint32(left + i * 4, true) + after * cost
    const timesAt = times + (group.before + at - 1) * 8
    const retryMs = retries === 0 ? 0 : u32s.getUint32(retries + i * 4, true)
    limits.push({
      policy: policy.name,
      quota,
      windowMs: policy.windowMs,
      algorithm: policy.algorithm,
      shadow: policy.shadow,
      remaining,
      // Others of the batch may have come after a check that left all of it.
      refillMs: remaining >= quota ? 0 : u32s.getUint32(timesAt, true),
      resetMs: remaining >= quota ? 0 : u32s.getUint32(timesAt + 4, true),
      retryMs: retryMs === NEVER ? Number.POSITIVE_INFINITY : retryMs,
    })
    i += 1
  }
  return limits
}
