import type { Script } from '@repo/redis'
import { countedMs, type Policy } from '../policy.ts'
import type { Asked, Check, Limit, Need, Verdict } from '../store.ts'
import { addArgument, before, scriptText } from './command-sender.ts'
import { createGatherer, type Entries } from './take-batch.ts'
import { MAX_ONE } from './take-script.ts'

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
  const text = buffer.toString('latin1', 0, size)
  const leased = batch.some(({ check }) => check.lease !== '')
  return leased ? [text, ...heads.map((head) => batch[head]?.check.lease ?? '')] : [text]
}

function timesOf({ check }: Asked, size: number): number {
  if (check.kind === 'take') return check.times > 1 ? check.times : size
  if (check.kind === 'peek') return 0
  return (check.needs[0]?.cost ?? 0) < 0 ? GIVE_BACK : FORCE
}

/** Where a batch is written before it becomes text, each time anew. */
const buffer = Buffer.alloc(8_192)

function byte(at: number, n: number): number {
  buffer[at] = n
  return at + 1
}

/** A number by 7 bits a byte, the lowest first: text of such bytes is the same in UTF-8. */
function long(at: number, n: number, length: number): number {
  let rest = n
  for (let i = at; i < at + length; i += 1) {
    buffer[i] = rest % 128
    rest = Math.floor(rest / 128)
  }
  return at + length
}

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
function limitOf(
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

/** Forms that are cached; a limiter whose principals have quotas of their own needs many. */
const MAX_FORMS = 64

/** The parts of a command that are the same for all takes of the same policies, quotas and costs. */
export interface Form {
  readonly script: Script
  /** For each need: the policy with its quota and cost, and the bytes of the names' beginning. */
  readonly needs: readonly { policy: Policy; quota: number; cost: number; prefixBytes: number }[]
  /** The policies of the needs. */
  readonly policies: readonly Policy[]
  readonly args: readonly string[]
  readonly head: string
  readonly tail: string
}

/**
 * The forms of takes that have a script of their own: one request, at most `MAX_ONE` needs, each of
 * another policy and none of them `concurrency`.
 * @param scripts by the number of needs; what has none goes as a batch
 */
export function createForms(blocks: string, scripts: readonly (Script | undefined)[]) {
  const gather = createGatherer()
  const forms: Form[] = []
  let next = 0

  function make(check: Check): Form | undefined {
    const { needs } = check
    const script = scripts[needs.length]
    const policies = needs.map(({ policy }) => policy)
    const isConcurrency = policies.some(({ algorithm }) => algorithm === 'concurrency')
    if (!script || isConcurrency || new Set(policies).size < policies.length) return undefined
    const pieces: string[] = []
    addArgument(pieces, blocks)
    // The arguments have no part in the number of pieces, so the text says how many there will be.
    const asked = { check, answered: () => undefined, unanswered: () => undefined }
    const args = encode([asked], gather([asked]))
    const [ops = ''] = args
    const empty = pieces.concat(...needs.map(() => ['', '', '']), ['', '', ''])
    const text = scriptText('evalsha', script.sha, 1 + needs.length, empty)
    const form: Form = {
      ...{ script, policies, args },
      needs: needs.map(({ policy, quota, cost, prefix }) => {
        return { policy, quota, cost, prefixBytes: Buffer.byteLength(prefix) }
      }),
      head: text.slice(0, -2),
      tail: `${before(Buffer.byteLength(ops))}${ops}\r\n`,
    }
    forms[next] = form
    next = (next + 1) % MAX_FORMS
    return form
  }

  return function formOf(check: Check): Form | undefined {
    const { kind, needs, lease, times } = check
    if (kind !== 'take' || times !== 1 || lease !== '' || needs.length > MAX_ONE) return undefined
    for (const form of forms) if (isOf(form, needs)) return form
    return make(check)
  }
}

function isOf({ needs }: Form, asked: readonly Need[]): boolean {
  if (needs.length !== asked.length) return false
  for (let i = 0; i < needs.length; i += 1) {
    const own = needs[i]
    const need = asked[i]
    if (own?.policy !== need?.policy || own?.quota !== need?.quota) return false
    if (own?.cost !== need?.cost) return false
  }
  return true
}

/** The command of a take, and whether it is all ASCII. */
export function textOf(form: Form, needs: readonly Need[]): { text: string; isAscii: boolean } {
  let text = form.head
  let isAscii = true
  for (let i = 0; i < needs.length; i += 1) {
    const { prefix = '', id = '' } = needs[i] ?? {}
    const prefixBytes = form.needs[i]?.prefixBytes ?? 0
    const bytes = Buffer.byteLength(id)
    if (bytes !== id.length || prefixBytes !== prefix.length) isAscii = false
    text += before(prefixBytes + bytes) + prefix + id
  }
  return { text: text + form.tail, isAscii }
}

/** What the script answered to the only request. @throws RangeError when it is too short */
export function verdictOfOne(needs: readonly Need[], reply: Buffer): Verdict {
  const { length } = needs
  const head = u32(reply, 0)
  const isRefused = head % 2 === 1
  const times = 4 + length * (isRefused ? 8 : 4)
  if (reply.length < times + length * 8) throw new RangeError('the take script answered too little')
  const limits: Limit[] = []
  for (let i = 0; i < length; i += 1) {
    const need = needs[i]
    if (!need) break
    const remaining = u32(reply, 4 + i * 4)
    const retryMs = isRefused ? u32(reply, 4 + (length + i) * 4) : 0
    const at = times + i * 8
    limits.push(limitOf(need, remaining, u32(reply, at), u32(reply, at + 4), retryMs))
  }
  return { admitted: Math.floor(head / 2), limits }
}

function u32(reply: Buffer, at: number): number {
  const low = (reply[at] ?? 0) | ((reply[at + 1] ?? 0) << 8) | ((reply[at + 2] ?? 0) << 16)
  return low + (reply[at + 3] ?? 0) * 16_777_216
}
