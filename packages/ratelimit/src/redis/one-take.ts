import type { Script } from '@repo/redis'
import type { Policy } from '../policy.ts'
import type { Check, Limit, Need, Verdict } from '../store.ts'
import { addArgument, before, scriptText } from './resp.ts'
import { createGatherer } from './take-batch.ts'
import { MAX_ONE } from './take-one.ts'
import { encode } from './take-wire.ts'
import { limitOf } from './verdicts.ts'

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

function u32(bytes: Buffer, at: number): number {
  const low = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16)
  return low + (bytes[at + 3] ?? 0) * 16_777_216
}
