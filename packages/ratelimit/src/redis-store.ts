import { createBatch } from './batch.ts'
import type { Report, Store } from './check.ts'
import type { LimiterRedis } from './connect.ts'
import { createGatherer } from './entries.ts'
import type { LimiterKeys } from './keys.ts'
import { addArgument } from './resp.ts'
import { block, note, release, renew, report, reset } from './store-scripts.ts'
import { take } from './take-script.ts'
import { verdictsOf } from './verdicts.ts'
import { encode } from './wire.ts'

/** Counts in Redis, by Redis's clock: one round trip for all checks of a turn. */
export function createRedisStore(redis: LimiterRedis, script = take): Store {
  const { keys: names } = redis
  const gather = createGatherer()
  const ask = createBatch(async (batch, onAnswer) => {
    const entries = gather(batch)
    const args = encode(batch, entries)
    const pieces: string[] = []
    addArgument(pieces, names.blocks)
    for (const { counts } of entries.groups) {
      for (const { prefix, id } of counts) addArgument(pieces, prefix, id)
    }
    for (const arg of args) addArgument(pieces, arg)
    const sentAtMs = performance.now()
    const reply = await redis.runPieces(script, 1 + entries.counts, pieces)
    if (!Buffer.isBuffer(reply)) throw new TypeError('the take script answered no bytes')
    const verdicts = verdictsOf(batch, entries, reply)
    onAnswer()
    for (const [i, { answered }] of batch.entries()) {
      const verdict = verdicts[i]
      if (verdict) answered(verdict, sentAtMs)
    }
  })
  return {
    ask,
    async reset(keys) {
      await redis.run(reset, [names.blocks, ...keys], [])
    },
    async block(keys, ms) {
      await redis.run(block, [names.blocks, ...keys], [String(ms)])
    },
    async release(keys, lease) {
      await redis.run(release, keys, [lease])
    },
    async renew(keys, lease, windowMs) {
      await redis.run(renew, keys, [lease, String(windowMs)])
    },
    async note({ totals, limited }) {
      const counts = [JSON.stringify([...totals]), JSON.stringify([...limited])]
      await redis.run(note, [names.blocks], [names.activityPrefix, names.limitedPrefix, ...counts])
    },
    async report(minutes, top) {
      const args = [names.activityPrefix, names.limitedPrefix, String(minutes), String(top)]
      return parseReport(await redis.runText(report, [names.blocks], args), names)
    },
  }
}

function parseReport(reply: unknown, { parseCount }: LimiterKeys): Report {
  const [activity, limited, blocked] = Array.isArray(reply) ? reply.map(pairs) : []
  const policies = new Map<string, Report['policies'][number]>()
  for (const [field, n] of activity ?? []) {
    const [policy = '', what = ''] = field.split('|')
    const totals = policies.get(policy) ?? { policy, allowed: 0, limited: 0, unavailable: 0 }
    policies.set(policy, totals)
    if (what === 'allowed' || what === 'limited' || what === 'unavailable') totals[what] += n
  }
  return {
    policies: [...policies.values()],
    limited: (limited ?? []).toReversed().map(([key, count]) => ({ ...parseCount(key), count })),
    blocked: (blocked ?? []).map(([key, endsInMs]) => ({ ...parseCount(key), endsInMs })),
  }
}

/** A reply of names and numbers in turn. */
function pairs(flat: unknown): [name: string, n: number][] {
  if (!Array.isArray(flat)) return []
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), Number(flat[i + 1])]] : []))
}
