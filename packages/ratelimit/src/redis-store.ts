import { noteFailure } from '@repo/concurrency'
import { createBatch } from './batch.ts'
import type { Need, Report, Store } from './check.ts'
import type { LimiterRedis } from './connect.ts'
import { createGatherer } from './entries.ts'
import type { Group } from './groups.ts'
import type { LimiterKeys } from './keys.ts'
import { countedMs, type Policy } from './policy.ts'
import { addArgument } from './resp.ts'
import { CONCURRENCY, shapeOf, withShape } from './shape.ts'
import { block, note, noteShape, release, renew, report, reset, shapes } from './store-scripts.ts'
import { take } from './take-script.ts'
import { verdictsOf } from './verdicts.ts'
import { encode } from './wire.ts'

/** A shape is noted again after this time; one that no instance counts in any more is forgotten. */
const NOTE_EVERY_MS = 60_000
/** A check has at most this many needs. */
const MAX_NEEDS = 100

/** Counts in Redis, by Redis's clock: one round trip for all checks of a turn. */
export function createRedisStore(redis: LimiterRedis, script = take): Store {
  const { keys: names } = redis
  const gather = createGatherer()
  const notedAtMs = new WeakMap<Policy, number>()

  /** Notes the shapes of a batch, which reach Redis before the batch: it is one connection. */
  function noteShapes(groups: readonly Group[], nowMs: number): Promise<unknown> | undefined {
    let notes: Promise<unknown>[] | undefined
    for (const { policy } of groups) {
      if (nowMs - (notedAtMs.get(policy) ?? -Infinity) < NOTE_EVERY_MS) continue
      notedAtMs.set(policy, nowMs)
      const shape = shapeOf(policy)
      // A reset has these in mind always.
      if (shape === CONCURRENCY) continue
      const forMs = 2 * (countedMs(policy) + NOTE_EVERY_MS)
      const noted = redis.run(noteShape, [names.shapes(policy.name)], [shape, String(forMs)])
      notes ??= []
      notes.push(
        noted.catch((error: unknown) => {
          notedAtMs.delete(policy)
          noteFailure('ratelimit.shape', error)
        }),
      )
    }
    return notes && Promise.all(notes)
  }

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
    const noted = noteShapes(entries.groups, sentAtMs)
    const reply = await redis.runPieces(script, 1 + entries.counts, pieces)
    // What was answered is found by a reset from here on.
    if (noted) await noted
    if (!Buffer.isBuffer(reply)) throw new TypeError('the take script answered no bytes')
    const verdicts = verdictsOf(batch, entries, reply)
    onAnswer()
    for (const [i, { answered }] of batch.entries()) {
      const verdict = verdicts[i]
      if (verdict) answered(verdict, sentAtMs)
    }
  })

  /** The needs' counts in the shapes of other releases. */
  async function inOtherShapes(needs: readonly Need[]): Promise<Need[]> {
    const keys = needs.map(({ policy }) => names.shapes(policy.name))
    const reply = await redis.runText(shapes, keys, [])
    return needs.flatMap((need, i) => {
      const found: unknown = Array.isArray(reply) ? reply[i] : undefined
      const own = shapeOf(need.policy)
      return (Array.isArray(found) ? found : []).flatMap((shape) => {
        const policy = shape === own ? undefined : withShape(need.policy, String(shape))
        if (!policy) return []
        notedAtMs.set(policy, performance.now())
        return [{ ...need, policy, prefix: names.countPrefix(policy) }]
      })
    })
  }

  return {
    ask,
    async rewardOthers(needs) {
      const others = await inOtherShapes(needs)
      for (let i = 0; i < others.length; i += MAX_NEEDS) {
        const part = others.slice(i, i + MAX_NEEDS)
        await new Promise((answered, unanswered) => {
          ask({ check: { kind: 'force', needs: part, lease: '', times: 1 }, answered, unanswered })
        })
      }
    },
    async reset(keys) {
      await redis.run(reset, [names.blocks, ...keys], [])
    },
    async block(keys, ms) {
      await redis.run(block, [names.blocks, ...keys], [String(ms)])
    },
    async release(keys, lease) {
      await redis.run(release, keys.map(names.holders), [lease])
    },
    async renew(keys, lease, windowMs) {
      await redis.run(renew, keys.map(names.holders), [lease, String(windowMs)])
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

function parseReport(reply: unknown, { parseSubject }: LimiterKeys): Report {
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
    limited: (limited ?? []).toReversed().map(([key, count]) => ({ ...parseSubject(key), count })),
    blocked: (blocked ?? []).map(([key, endsInMs]) => ({ ...parseSubject(key), endsInMs })),
  }
}

/** A reply of names and numbers in turn. */
function pairs(flat: unknown): [name: string, n: number][] {
  if (!Array.isArray(flat)) return []
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), Number(flat[i + 1])]] : []))
}
