import { noteFailure } from '@repo/concurrency'
import { isUnknownScript } from '@repo/redis'
import { CONCURRENCY, shapeOf, withShape } from '../keys.ts'
import { countedMs, type Policy } from '../policy.ts'
import type { Need, PendingCheck, Store, Verdict } from '../store.ts'
import { createBatch } from './batch.ts'
import { addArgument, isErrorReply } from './command-sender.ts'
import type { LimiterRedis } from './connection.ts'
import {
  addActivity,
  addShape,
  block,
  parseReport,
  release,
  renew,
  report,
  reset,
  shapes,
} from './control-scripts.ts'
import { createBatchBuilder } from './take-batch.ts'
import { takeScripts } from './take-script.ts'
import {
  commandOf,
  createTakeForms,
  decodeBatch,
  decodeOne,
  encodeBatch,
  type TakeForm,
} from './take-wire.ts'

type OnEnd = (error?: unknown) => void

/** The number of needs in one check, at most. */
const MAX_NEEDS = 100

/** Counts in Redis, by the clock of Redis (R2). All checks of one turn cost one round trip. */
export function createRedisStore(redis: LimiterRedis, scripts = takeScripts): Store {
  const { keys: names } = redis
  const [batchScript, ...singleScripts] = scripts
  const buildBatch = createBatchBuilder()
  const formOf = createTakeForms(names.blocks, [undefined, ...singleScripts])
  const shapeNotes = createShapeNotes(redis)

  const check = createBatch((batch, onEnd) => {
    const [only] = batch
    const form = only && batch.length === 1 ? formOf(only.check) : undefined
    if (only && form) sendOne(only, form, onEnd)
    else void sendBatch(batch, onEnd)
  })

  function sendOne(pending: PendingCheck, form: TakeForm, onEnd: OnEnd) {
    const { needs } = pending.check
    const sentAtMs = performance.now()
    const noted = shapeNotes.note(form.policies, sentAtMs)
    const { text, isAscii } = commandOf(form, needs)
    redis.send(text, isAscii, {
      onReply(reply) {
        // Only when the shapes are noted does a reset find these counts.
        if (noted) void noted.then(() => finishOne(pending, reply, sentAtMs, onEnd))
        else finishOne(pending, reply, sentAtMs, onEnd)
      },
      onError(error) {
        if (isUnknownScript(error)) void sendWholeScript(pending, form, onEnd)
        else {
          onEnd(outageOf(error))
          pending.onError(error)
        }
      },
    })
  }

  /** Sends a take again, with its script, to a server that did not have the script. */
  async function sendWholeScript(pending: PendingCheck, form: TakeForm, onEnd: OnEnd) {
    const { needs } = pending.check
    const pieces = piecesOf([needs], form.args)
    const sentAtMs = performance.now()
    let reply: unknown
    try {
      reply = await redis.runPieces(form.script, 1 + needs.length, pieces)
    } catch (error) {
      onEnd(outageOf(error))
      pending.onError(error)
      return
    }
    finishOne(pending, reply, sentAtMs, onEnd)
  }

  function piecesOf(counts: readonly (readonly Need[])[], args: readonly string[]): string[] {
    const pieces: string[] = []
    addArgument(pieces, names.blocks)
    for (const group of counts) for (const { prefix, id } of group) addArgument(pieces, prefix, id)
    for (const arg of args) addArgument(pieces, arg)
    return pieces
  }

  async function sendBatch(batch: PendingCheck[], onEnd: OnEnd) {
    let verdicts: Verdict[]
    let sentAtMs: number
    try {
      const built = buildBatch(batch)
      const args = encodeBatch(batch, built)
      const pieces = piecesOf(
        built.groups.map(({ counts }) => counts),
        args,
      )
      sentAtMs = performance.now()
      const noted = shapeNotes.note(
        built.groups.map(({ policy }) => policy),
        sentAtMs,
      )
      const reply = await redis.runPieces(batchScript, 1 + built.counts, pieces)
      // Only when the shapes are noted does a reset find these counts.
      if (noted) await noted
      verdicts = decodeBatch(batch, built, requireBytes(reply))
    } catch (error) {
      onEnd(outageOf(error))
      for (const { onError } of batch) onError(error)
      return
    }
    onEnd()
    for (const [i, { onVerdict }] of batch.entries()) {
      const verdict = verdicts[i]
      if (verdict) onVerdict(verdict, sentAtMs)
    }
  }

  /** The needs with the counts of the shapes of other releases (R12). */
  async function inOtherShapes(needs: readonly Need[]): Promise<Need[]> {
    const keys = needs.map(({ policy }) => names.shapes(policy.name))
    const reply = await redis.runText(shapes, keys, [])
    return needs.flatMap((need, i) => {
      const found: unknown = Array.isArray(reply) ? reply[i] : undefined
      const currentShape = shapeOf(need.policy)
      return (Array.isArray(found) ? found : []).flatMap((shape) => {
        const policy = shape === currentShape ? undefined : withShape(need.policy, String(shape))
        if (!policy) return []
        shapeNotes.markNoted(policy, performance.now())
        return [{ ...need, policy, prefix: names.countPrefix(policy) }]
      })
    })
  }

  return {
    check,
    async rewardOthers(needs) {
      const others = await inOtherShapes(needs)
      for (let i = 0; i < others.length; i += MAX_NEEDS) {
        const part = others.slice(i, i + MAX_NEEDS)
        await new Promise((onVerdict, onError) => {
          check({ check: { kind: 'force', needs: part, holder: '', times: 1 }, onVerdict, onError })
        })
      }
    },
    async reset(keys) {
      await redis.run(reset, [names.blocks, ...keys], [])
    },
    async block(keys, ms) {
      await redis.run(block, [names.blocks, ...keys], [String(ms)])
    },
    async release(keys, holder) {
      await redis.run(release, keys.map(names.holders), [holder])
    },
    async renew(keys, holder, windowMs) {
      await redis.run(renew, keys.map(names.holders), [holder, String(windowMs)])
    },
    async addActivity({ totals, limited }) {
      const counts = [JSON.stringify([...totals]), JSON.stringify([...limited])]
      const prefixes = [names.activityPrefix, names.limitedPrefix]
      await redis.run(addActivity, [names.blocks], [...prefixes, ...counts])
    },
    async report(minutes, top) {
      const args = [names.activityPrefix, names.limitedPrefix, String(minutes), String(top)]
      return parseReport(await redis.runText(report, [names.blocks], args), names)
    },
  }
}

function finishOne(pending: PendingCheck, reply: unknown, sentAtMs: number, onEnd: () => void) {
  onEnd()
  let verdict: Verdict
  try {
    verdict = decodeOne(pending.check.needs, requireBytes(reply))
  } catch (error) {
    pending.onError(error)
    return
  }
  pending.onVerdict(verdict, sentAtMs)
}

/** The error, if it concerns the other calls too. An error reply concerns one call. */
function outageOf(error: unknown): unknown {
  return isErrorReply(error) ? undefined : error
}

function requireBytes(reply: unknown): Buffer {
  if (Buffer.isBuffer(reply)) return reply
  throw new TypeError('the reply of the take script is not a string of bytes')
}

/** A shape is noted again after this time. Redis deletes a shape in which no instance counts. */
const NOTE_EVERY_MS = 60_000

/** Notes in Redis the shapes in which this instance counts (R12). */
function createShapeNotes(redis: LimiterRedis) {
  const notedAtMs = new WeakMap<Policy, number>()

  function send(policy: Policy, nowMs: number): Promise<unknown> | undefined {
    notedAtMs.set(policy, nowMs)
    const shape = shapeOf(policy)
    // A reset includes this shape in any case.
    if (shape === CONCURRENCY) return undefined
    const forMs = 2 * (countedMs(policy) + NOTE_EVERY_MS)
    const noted = redis.run(addShape, [redis.keys.shapes(policy.name)], [shape, String(forMs)])
    return noted.catch((error: unknown) => {
      notedAtMs.delete(policy)
      noteFailure('ratelimit.shape', error)
    })
  }

  return {
    /** Notes the shapes that are due. They reach Redis before the batch, on the same connection. */
    note(policies: readonly Policy[], nowMs: number): Promise<unknown> | undefined {
      let notes: Promise<unknown>[] | undefined
      for (const policy of policies) {
        if (nowMs - (notedAtMs.get(policy) ?? -Infinity) < NOTE_EVERY_MS) continue
        const sent = send(policy, nowMs)
        if (sent) (notes ??= []).push(sent)
      }
      return notes && Promise.all(notes)
    },
    /** Redis already has the shape of this policy. */
    markNoted(policy: Policy, nowMs: number) {
      notedAtMs.set(policy, nowMs)
    },
  }
}
