import { noteFailure } from '@repo/concurrency'
import { countedMs, type Policy } from '../policy.ts'
import { CONCURRENCY, shapeOf } from '../shape.ts'
import type { LimiterRedis } from './connection.ts'
import { noteShape } from './control-scripts.ts'

/** A shape is noted again after this time; one that no instance counts in any more is forgotten. */
const NOTE_EVERY_MS = 60_000

/** Notes in Redis the shapes in which this instance counts. */
export function createShapeNotes(redis: LimiterRedis) {
  const notedAtMs = new WeakMap<Policy, number>()

  function send(policy: Policy, nowMs: number): Promise<unknown> | undefined {
    notedAtMs.set(policy, nowMs)
    const shape = shapeOf(policy)
    // A reset has these in mind always.
    if (shape === CONCURRENCY) return undefined
    const forMs = 2 * (countedMs(policy) + NOTE_EVERY_MS)
    const noted = redis.run(noteShape, [redis.keys.shapes(policy.name)], [shape, String(forMs)])
    return noted.catch((error: unknown) => {
      notedAtMs.delete(policy)
      noteFailure('ratelimit.shape', error)
    })
  }

  return {
    /** Notes those that are due. They reach Redis before the batch: it is one connection. */
    note(policies: readonly Policy[], nowMs: number): Promise<unknown> | undefined {
      let notes: Promise<unknown>[] | undefined
      for (const policy of policies) {
        if (nowMs - (notedAtMs.get(policy) ?? -Infinity) < NOTE_EVERY_MS) continue
        const sent = send(policy, nowMs)
        if (sent) (notes ??= []).push(sent)
      }
      return notes && Promise.all(notes)
    },
    /** The shape is in Redis already. */
    isNoted(policy: Policy, nowMs: number) {
      notedAtMs.set(policy, nowMs)
    },
  }
}
