import { expect, test } from '@repo/testing'
import { limiterKeys } from '../keys.ts'
import { parsePolicies, type Policy } from '../policy.ts'
import { createRules } from '../rules.ts'
import type { Check, Need } from '../store.ts'
import { createBatchBuilder } from './take-batch.ts'
import { decodeBatch, decodeOne, encodeBatch } from './take-wire.ts'

const seed = Number(process.env['RACE_SEED'] ?? Date.now() % 1_000_000)
const BATCHES = 2_000
const NEVER = 4_294_967_295
const KINDS: Policy['algorithm'][] = ['sliding', 'token-bucket', 'fixed', 'concurrency']

const parsed = parsePolicies([
  { name: 'sliding', quota: 16_777_215, windowMs: 4_000_000_000, by: 'id' },
  { name: 'bucket', quota: 7, windowMs: 1_000, by: 'id', algorithm: 'token-bucket' },
  { name: 'fixed', quota: 200, windowMs: 700, by: 'id', algorithm: 'fixed', shadow: true },
  { name: 'slots', quota: 3, windowMs: 60_000, by: 'id', algorithm: 'concurrency' },
  { name: 'leased', quota: 90, windowMs: 60_000, by: 'id', lease: { units: 9, ms: 130 } },
])
const rules = createRules(parsed.outcome === 'valid' ? parsed.policies : [], 56, limiterKeys())
const names = rules.all.map(({ policy }) => policy.name)

function randomOf(start: number) {
  let state = start
  return (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 4_294_967_296) * below)
  }
}

function randomCheck(random: (below: number) => number): Check {
  const kind = (['take', 'take', 'take', 'peek', 'force'] as const)[random(5)] ?? 'take'
  const chosen = names.filter(() => random(3) === 0)
  const cost = kind === 'force' ? random(9) - 4 || 1 : random(4)
  const { needs } = rules.plan(kind, chosen, `id-${random(3)}`, { cost })
  const hasHolder = needs.some(({ policy }) => policy.algorithm === 'concurrency')
  const isSingle = needs.length === 1 && kind === 'take' && !hasHolder
  return {
    kind,
    needs,
    holder: kind === 'take' && hasHolder ? `holder-${random(99)}` : '',
    times: isSingle && random(4) === 0 ? 2 + random(99) : 1,
  }
}

/** Parses a request by the description of the format, independently of the encoder. */
function parseRequest(text: string) {
  const bytes = Buffer.from(text)
  expect(bytes.every((byte) => byte < 128)).toBe(true)
  let at = 0
  const byte = () => bytes[at++] ?? Number.NaN
  const long = (length: number) =>
    Array.from({ length }, byte).reduce((sum, value, i) => sum + value * 128 ** i, 0)
  const groups = Array.from({ length: byte() }, () => ({
    kind: KINDS[byte() - 1],
    countedMs: long(5),
    quota: long(4),
    lastCount: byte(),
  }))
  const limits = Array.from({ length: byte() }, () => ({
    group: byte(),
    cost: long(4),
    shadow: byte(),
  }))
  const entries = []
  while (at < bytes.length) {
    const times = byte()
    const refs = Array.from({ length: byte() }, () => ({ count: byte(), limit: byte() }))
    entries.push({ times, refs })
  }
  return { groups, limits, entries }
}

function expectedTimes(checks: readonly Check[]): number {
  const { kind, times, needs } = checks[0]!
  if (kind === 'peek') return 0
  if (kind === 'force') return (needs[0]?.cost ?? 0) < 0 ? 126 : 127
  return times > 1 ? times : checks.length
}

test(`${BATCHES} random batches are encoded and decoded without a loss (seed ${seed})`, () => {
  const random = randomOf(seed)
  const build = createBatchBuilder()
  for (let round = 0; round < BATCHES; round += 1) {
    const checks = Array.from({ length: 1 + random(12) }, () => randomCheck(random))
    const batch = checks.map((check) => ({ check }))
    const built = build(batch)
    const [request = '', ...holders] = encodeBatch(batch, built)
    const { groups, limits, entries } = parseRequest(request)
    const counts: { need: Need; group: (typeof groups)[number] }[] = []
    for (const [g, group] of groups.entries()) {
      const keys = built.groups[g]?.counts ?? []
      for (const need of keys) counts.push({ need, group })
      expect(group.lastCount).toBe(counts.length)
    }
    // The name of each count occurs once.
    const keys = counts.map(({ need }) => need.prefix + need.id)
    expect(new Set(keys).size).toBe(keys.length)

    const reply: number[] = []
    const expected: unknown[] = []
    const refills = counts.map(() => random(NEVER))
    const resets = counts.map(() => random(NEVER))
    for (const [e, { times, refs }] of entries.entries()) {
      const members: number[] = []
      for (let i = built.heads[e] ?? 0, next = -1; next !== 0; i = next) {
        members.push(i)
        next = built.nexts[i] ?? 0
      }
      const entryChecks = members.map((i) => checks[i]!)
      expect(times).toBe(expectedTimes(entryChecks))
      if (holders.length > 0) expect(holders[e]).toBe(entryChecks[0]?.holder)
      for (const { needs } of entryChecks) {
        for (const [n, { count, limit }] of refs.entries()) {
          const { need, group } = counts[count - 1]!
          const { cost, shadow, group: index } = limits[limit - 1]!
          const { policy, quota, cost: needCost, prefix, id } = needs[n]!
          expect(groups[index - 1]).toBe(group)
          expect([need.prefix, need.id, cost]).toEqual([prefix, id, Math.abs(needCost)])
          expect([group.kind, group.quota, shadow === 1]).toEqual([
            ...[policy.algorithm, quota, policy.shadow],
          ])
          expect(group.countedMs).toBe(policy.windowMs + (policy.lease?.ms ?? 0))
        }
      }
      const admitted = random((times > 1 && times < 126 ? times : 1) + 1)
      const isRefused = admitted < Math.max(1, times > 1 && times < 126 ? times : 1)
      const remaining = refs.map(() => random(1_000))
      const retries = refs.map(() => [1 + random(9_999), NEVER][random(2)] ?? 1)
      reply.push(admitted * 2 + (isRefused ? 1 : 0), ...remaining, ...(isRefused ? retries : []))
      for (const [m, i] of members.entries()) {
        const isJoined = members.length > 1
        const isAdmitted = m < admitted
        expected[i] = {
          admitted: isJoined ? Number(isAdmitted) : admitted,
          limits: checks[i]!.needs.map(({ quota, cost }, n) => {
            const later = isJoined && isAdmitted ? admitted - m - 1 : 0
            const left = (remaining[n] ?? 0) + later * cost
            const count = (refs[n]?.count ?? 1) - 1
            const isRefusal = isRefused && !(isJoined && isAdmitted)
            const retryMs = retries[n] === NEVER ? Infinity : retries[n]
            return {
              remaining: left,
              refillMs: left >= quota ? 0 : refills[count],
              resetMs: left >= quota ? 0 : resets[count],
              retryMs: isRefusal ? retryMs : 0,
            }
          }),
        }
      }
    }
    for (let c = 0; c < counts.length; c += 1) reply.push(refills[c] ?? 0, resets[c] ?? 0)
    const bytes = Buffer.alloc(reply.length * 4)
    for (const [i, value] of reply.entries()) bytes.writeUInt32LE(value, i * 4)
    expect(decodeBatch(batch, built, bytes)).toMatchObject(expected)
    if (checks.length === 1 && checks[0]?.times === 1) {
      expect(decodeOne(checks[0].needs, bytes)).toMatchObject(expected[0] ?? {})
    }
  }
})

test('a reply that is too short is an error, and no verdict', () => {
  const { needs } = rules.plan('take', ['sliding', 'bucket'], 'ada')
  const check: Check = { kind: 'take', needs, holder: '', times: 1 }
  const batch = [{ check }]
  for (const length of [0, 4, 8, 12]) {
    const reply = Buffer.alloc(length)
    expect(() => decodeBatch(batch, createBatchBuilder()(batch), reply)).toThrow(RangeError)
    expect(() => decodeOne(needs, reply)).toThrow(RangeError)
  }
})
