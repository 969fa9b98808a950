import type { Script } from '@repo/redis'
import { countedMs, type Policy } from '../policy.ts'
import type { Check, Limit, Need, Verdict } from '../store.ts'
import { addArgument, argumentHeader, scriptCall } from './command-sender.ts'
import { createBatchBuilder, type TakeBatch } from './take-batch.ts'
import { MAX_SINGLE_NEEDS } from './take-script.ts'

/*
 * The byte format between this client and the take script; `take-script.ts` describes it for Lua.
 *
 * Request, bytes below 128; long numbers have 7 bits a byte, the lowest first; indexes from 1:
 *   groups  n, then n times: kind 1 · window ms 5 · quota 4 · index of its last count 1
 *   limits  n, then n times: group 1 · cost 4 · shadow 1 (0 or 1)
 *   entries to the end: times 1 · needs n 1, then n times: count 1 · limit 1
 *   times: the number of takes; 0 peek; 126 give back; 127 charge without a test
 * Reply, u32 little endian:
 *   per entry: 2 * admitted + (1 if a policy refuses) · remaining per need · if refused, retry ms per
 *   need (2^32-1 is never)
 *   per count: refill ms · reset ms
 */
const KINDS = { sliding: 1, 'token-bucket': 2, fixed: 3, concurrency: 4 } as const
const FORCE = 127
const GIVE_BACK = 126
const NEVER = 4_294_967_295

/** The buffer for one request. It is used again for each. */
const buffer = Buffer.alloc(8_192)

/** The arguments of the take script: the request, and the holders if there are any. */
export function encodeBatch(
  batch: readonly { check: Check }[],
  { groups, limits, heads, sizes, refs }: TakeBatch,
): string[] {
  let lastCount = 0
  let end = putByte(0, groups.length)
  for (const { counts, policy, quota } of groups) {
    lastCount += counts.length
    end = putByte(end, KINDS[policy.algorithm])
    end = putLong(putLong(end, countedMs(policy), 5), quota, 4)
    end = putByte(end, lastCount)
  }
  end = putByte(end, limits.length)
  for (const { group, cost } of limits) {
    end = putByte(putLong(putByte(end, group.index), cost, 4), group.policy.shadow ? 1 : 0)
  }
  let ref = 0
  for (const [i, head] of heads.entries()) {
    const check = batch[head]?.check
    if (!check) break
    const { length } = check.needs
    end = putByte(putByte(end, timesOf(check, sizes[i] ?? 1)), length)
    for (const last = ref + 2 * length; ref < last; ref += 1) end = putByte(end, refs[ref] ?? 0)
  }
  const request = buffer.toString('latin1', 0, end)
  const hasHolders = batch.some(({ check }) => check.holder !== '')
  return hasHolders ? [request, ...heads.map((head) => batch[head]?.check.holder ?? '')] : [request]
}

function timesOf({ kind, times, needs }: Check, size: number): number {
  if (kind === 'take') return times > 1 ? times : size
  if (kind === 'peek') return 0
  return (needs[0]?.cost ?? 0) < 0 ? GIVE_BACK : FORCE
}

function putByte(at: number, value: number): number {
  buffer[at] = value
  return at + 1
}

/** Bytes of 7 bits: as text they are the same in UTF-8. */
function putLong(at: number, value: number, length: number): number {
  let rest = value
  for (let i = at; i < at + length; i += 1) {
    buffer[i] = rest % 128
    rest = Math.floor(rest / 128)
  }
  return at + length
}

/** The verdicts of a batch. @throws RangeError when the reply is too short */
export function decodeBatch(
  batch: readonly { check: Check }[],
  { heads, nexts, refs, counts }: TakeBatch,
  reply: Buffer,
): Verdict[] {
  const u32s = new DataView(reply.buffer, reply.byteOffset, reply.byteLength)
  const times = reply.byteLength - counts * 8
  const verdicts = Array.from<Verdict>({ length: batch.length })
  let at = 0
  let ref = 0
  for (const head of heads) {
    const size = batch[head]?.check.needs.length ?? 0
    const summary = u32s.getUint32(at, true)
    const entry: EntryReply = { u32s, refs, times, ref, remaining: at + 4, retries: 0 }
    const retries = summary % 2 === 1 ? entry.remaining + size * 4 : 0
    at = (retries > 0 ? retries : entry.remaining) + size * 4
    ref += size * 2
    // The earlier takes of an entry left more: the units of those that were admitted after them.
    let admittedAfter = summary >>> 1
    const isOnly = nexts[head] === 0
    let i = head
    do {
      const needs = batch[i]?.check.needs ?? []
      const admitted = isOnly ? admittedAfter : admittedAfter > 0 ? 1 : 0
      admittedAfter -= 1
      entry.retries = isOnly || admitted === 0 ? retries : 0
      const laterTakes = isOnly || admittedAfter < 0 ? 0 : admittedAfter
      verdicts[i] = { admitted, limits: limitsOf(needs, entry, laterTakes) }
      i = nexts[i] ?? 0
    } while (i > 0)
  }
  return verdicts
}

/** The positions of the numbers of one entry in a reply. */
interface EntryReply {
  readonly u32s: DataView
  readonly refs: readonly number[]
  /** The refill and reset ms of the first count. */
  readonly times: number
  readonly ref: number
  readonly remaining: number
  /** 0 when no policy refuses. */
  retries: number
}

function limitsOf(
  needs: readonly Need[],
  { u32s, refs, times, ref, remaining: first, retries }: EntryReply,
  laterTakes: number,
): Limit[] {
  const limits: Limit[] = []
  for (let i = 0; i < needs.length; i += 1) {
    const need = needs[i]
    if (!need) break
    const remaining = u32s.getUint32(first + i * 4, true) + laterTakes * need.cost
    const timesAt = times + ((refs[ref + i * 2] ?? 1) - 1) * 8
    const refillMs = u32s.getUint32(timesAt, true)
    const resetMs = u32s.getUint32(timesAt + 4, true)
    const retryMs = retries === 0 ? 0 : u32s.getUint32(retries + i * 4, true)
    limits.push(toLimit(need, remaining, refillMs, resetMs, retryMs))
  }
  return limits
}

function toLimit(
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
    // The times are those after the whole batch. A check that left the whole quota needs none.
    refillMs: remaining >= quota ? 0 : refillMs,
    resetMs: remaining >= quota ? 0 : resetMs,
    retryMs: retryMs === NEVER ? Number.POSITIVE_INFINITY : retryMs,
  }
}

/** The number of cached forms, at most. Callers with other quotas need many. */
const MAX_FORMS = 64

/** The parts of a command that all takes with the same policies, quotas and costs have in common. */
export interface TakeForm {
  readonly script: Script
  /** For each need: the policy, its quota and cost, and the number of bytes of its prefix. */
  readonly needs: readonly { policy: Policy; quota: number; cost: number; prefixBytes: number }[]
  /** The policies of the needs. */
  readonly policies: readonly Policy[]
  readonly args: readonly string[]
  readonly head: string
  readonly tail: string
}

/**
 * The forms of takes that have their own script: one request with at most `MAX_SINGLE_NEEDS`
 * needs, each of another policy, and none of them `concurrency`.
 * @param scripts by the number of needs; a take without a script is sent as a batch
 */
export function createTakeForms(blocks: string, scripts: readonly (Script | undefined)[]) {
  const buildBatch = createBatchBuilder()
  const forms: TakeForm[] = []
  let oldest = 0

  function addForm(check: Check): TakeForm | undefined {
    const { needs } = check
    const script = scripts[needs.length]
    const policies = needs.map(({ policy }) => policy)
    const isConcurrency = policies.some(({ algorithm }) => algorithm === 'concurrency')
    if (!script || isConcurrency || new Set(policies).size < policies.length) return undefined
    const pieces: string[] = []
    addArgument(pieces, blocks)
    const batch = [{ check }]
    const args = encodeBatch(batch, buildBatch(batch))
    const [request = ''] = args
    // Empty pieces for the names and the request: the head has the right number of arguments.
    const empty = pieces.concat(...needs.map(() => ['', '', '']), ['', '', ''])
    const text = scriptCall('evalsha', script.sha, 1 + needs.length, empty)
    const form: TakeForm = {
      script,
      policies,
      args,
      needs: needs.map(({ policy, quota, cost, prefix }) => {
        return { policy, quota, cost, prefixBytes: Buffer.byteLength(prefix) }
      }),
      head: text.slice(0, -2),
      tail: `${argumentHeader(Buffer.byteLength(request))}${request}\r\n`,
    }
    forms[oldest] = form
    oldest = (oldest + 1) % MAX_FORMS
    return form
  }

  return function formOf(check: Check): TakeForm | undefined {
    const { kind, needs, holder, times } = check
    if (kind !== 'take' || times !== 1 || holder !== '') return undefined
    if (needs.length > MAX_SINGLE_NEEDS) return undefined
    for (const form of forms) if (isFormOf(form, needs)) return form
    return addForm(check)
  }
}

function isFormOf({ needs: formNeeds }: TakeForm, needs: readonly Need[]): boolean {
  if (formNeeds.length !== needs.length) return false
  for (let i = 0; i < formNeeds.length; i += 1) {
    const formNeed = formNeeds[i]
    const need = needs[i]
    if (formNeed?.policy !== need?.policy || formNeed?.quota !== need?.quota) return false
    if (formNeed?.cost !== need?.cost) return false
  }
  return true
}

/** The command of a take, and whether it is all ASCII. */
export function commandOf(form: TakeForm, needs: readonly Need[]) {
  let text = form.head
  let isAscii = true
  for (let i = 0; i < needs.length; i += 1) {
    const { prefix = '', id = '' } = needs[i] ?? {}
    const prefixBytes = form.needs[i]?.prefixBytes ?? 0
    const idBytes = Buffer.byteLength(id)
    if (idBytes !== id.length || prefixBytes !== prefix.length) isAscii = false
    text += argumentHeader(prefixBytes + idBytes) + prefix + id
  }
  return { text: text + form.tail, isAscii }
}

/** The verdict of a single take. @throws RangeError when the reply is too short */
export function decodeOne(needs: readonly Need[], reply: Buffer): Verdict {
  const { length } = needs
  const summary = readU32(reply, 0)
  const isRefused = summary % 2 === 1
  const times = 4 + length * (isRefused ? 8 : 4)
  if (reply.length < times + length * 8) {
    throw new RangeError('the reply of the take script is too short')
  }
  const limits: Limit[] = []
  for (let i = 0; i < length; i += 1) {
    const need = needs[i]
    if (!need) break
    const remaining = readU32(reply, 4 + i * 4)
    const retryMs = isRefused ? readU32(reply, 4 + (length + i) * 4) : 0
    const at = times + i * 8
    limits.push(toLimit(need, remaining, readU32(reply, at), readU32(reply, at + 4), retryMs))
  }
  return { admitted: Math.floor(summary / 2), limits }
}

function readU32(reply: Buffer, at: number): number {
  const low = (reply[at] ?? 0) | ((reply[at + 1] ?? 0) << 8) | ((reply[at + 2] ?? 0) << 16)
  return low + (reply[at + 3] ?? 0) * 16_777_216
}
