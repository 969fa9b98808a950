import { noteFailure } from '@repo/concurrency'
import { isUnknownScript } from '@repo/redis'
import { CONCURRENCY, shapeOf, withShape } from '../keys.ts'
import { countedMs, type Policy } from '../policy.ts'
import type { Asked, Need, Store, Verdict } from '../store.ts'
import { createBatch } from './batch.ts'
import { addArgument, isAnswer } from './command-sender.ts'
import type { LimiterRedis } from './connection.ts'
import {
  block,
  note,
  noteShape,
  parseReport,
  release,
  renew,
  report,
  reset,
  shapes,
} from './control-scripts.ts'
import { createGatherer } from './take-batch.ts'
import { takeScripts } from './take-script.ts'
import { createForms, encode, type Form, textOf, verdictOfOne, verdictsOf } from './take-wire.ts'

type OnEnd = (noAnswer?: unknown) => void

/** A check has at most this many needs. */
const MAX_NEEDS = 100

/** Counts in Redis, by Redis's clock: one round trip for all checks of a turn. */
export function createRedisStore(redis: LimiterRedis, scripts = takeScripts): Store {
  const { keys: names } = redis
  const [script, ...ones] = scripts
  const gather = createGatherer()
  const formOf = createForms(names.blocks, [undefined, ...ones])
  const shapeNotes = createShapeNotes(redis)

  const ask = createBatch((batch, onEnd) => {
    const [only] = batch
    const form = only && batch.length === 1 ? formOf(only.check) : undefined
    if (only && form) sendOne(only, form, onEnd)
    else void sendBatch(batch, onEnd)
  })

  function sendOne(asked: Asked, form: Form, onEnd: OnEnd) {
    const { needs } = asked.check
    const sentAtMs = performance.now()
    const noted = shapeNotes.note(form.policies, sentAtMs)
    const { text, isAscii } = textOf(form, needs)
    redis.send(text, isAscii, {
      answered(reply) {
        // What was answered is found by a reset from here on.
        if (noted) void noted.then(() => answerOne(asked, reply, sentAtMs, onEnd))
        else answerOne(asked, reply, sentAtMs, onEnd)
      },
      unanswered(error) {
        if (isUnknownScript(error)) void sendWhole(asked, form, onEnd)
        else {
          onEnd(noAnswerOf(error))
          asked.unanswered(error)
        }
      },
    })
  }

  /** Sends a take whose script the server did not have. */
  async function sendWhole(asked: Asked, form: Form, onEnd: OnEnd) {
    const { needs } = asked.check
    const pieces = piecesOf([needs], form.args)
    const sentAtMs = performance.now()
    let reply: unknown
    try {
      reply = await redis.runPieces(form.script, 1 + needs.length, pieces)
    } catch (error) {
      onEnd(noAnswerOf(error))
      asked.unanswered(error)
      return
    }
    answerOne(asked, reply, sentAtMs, onEnd)
  }

  function piecesOf(counts: readonly (readonly Need[])[], args: readonly string[]): string[] {
    const pieces: string[] = []
    addArgument(pieces, names.blocks)
    for (const group of counts) for (const { prefix, id } of group) addArgument(pieces, prefix, id)
    for (const arg of args) addArgument(pieces, arg)
    return pieces
  }

  async function sendBatch(batch: Asked[], onEnd: OnEnd) {
    let verdicts: Verdict[]
    let sentAtMs: number
    try {
      const entries = gather(batch)
      const args = encode(batch, entries)
      const pieces = piecesOf(
        entries.groups.map(({ counts }) => counts),
        args,
      )
      sentAtMs = performance.now()
      const noted = shapeNotes.note(
        entries.groups.map(({ policy }) => policy),
        sentAtMs,
      )
      const reply = await redis.runPieces(script, 1 + entries.counts, pieces)
      // What was answered is found by a reset from here on.
      if (noted) await noted
      verdicts = verdictsOf(batch, entries, bytesOf(reply))
    } catch (error) {
      onEnd(noAnswerOf(error))
      for (const { unanswered } of batch) unanswered(error)
      return
    }
    onEnd()
    for (const [i, { answered }] of batch.entries()) {
      const verdict = verdicts[i]
      if (verdict) answered(verdict, sentAtMs)
    }
  }

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
        shapeNotes.isNoted(policy, performance.now())
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

function answerOne(asked: Asked, reply: unknown, sentAtMs: number, onEnd: () => void) {
  onEnd()
  let verdict: Verdict
  try {
    verdict = verdictOfOne(asked.check.needs, bytesOf(reply))
  } catch (error) {
    asked.unanswered(error)
    return
  }
  asked.answered(verdict, sentAtMs)
}

/** An error that says nothing of the calls behind it is none. */
function noAnswerOf(error: unknown): unknown {
  return isAnswer(error) ? undefined : error
}

function bytesOf(reply: unknown): Buffer {
  if (Buffer.isBuffer(reply)) return reply
  throw new TypeError('the take script answered no bytes')
}

/** A shape is noted again after this time; one that no instance counts in any more is forgotten. */
const NOTE_EVERY_MS = 60_000

/** Notes in Redis the shapes in which this instance counts. */
function createShapeNotes(redis: LimiterRedis) {
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
