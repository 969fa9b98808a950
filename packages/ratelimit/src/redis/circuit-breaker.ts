import { setTimeout } from 'node:timers/promises'
import { type ConnectionLog, createAnswerLog, type Script } from '@repo/redis'
import type { LimiterKeys } from '../keys.ts'
import type { Policy } from '../policy.ts'
import type { Check, Need } from '../store.ts'
import { addArgument, isAnswer } from './command-sender.ts'
import { createGatherer } from './take-batch.ts'
import { takeScripts } from './take-script.ts'
import { encode } from './take-wire.ts'

/** After this number of rounds without an answer nothing is sent until a probe is answered. */
const ROUNDS = 3
export const PROBE_MS = 100

export interface Gate {
  /** Whether limits go without Redis. */
  readonly isShut: boolean
  /** A round of calls was not answered in time. */
  noteLate(reason: string): void
  noteAnswer(): void
  /** Redis answered a call with an error: a probe decides if it refuses all of them. */
  noteRefusal(error: Error): void
  /** The connection is ready, at the start or after it was lost. */
  noteReady(): void
  /** The connection is lost, and the first attempt to replace it failed. */
  noteLost(reason: string): void
  close(): void
}

/**
 * Decides if Redis counts at this moment. It does not after three rounds of calls without an answer,
 * without a connection, and when it refuses to count. The way back is a probe, which counts like a
 * take: each transition is one line in the log, with the words of the server.
 *
 * @param probe counts on a subject of its own; it rejects with an answer of the server, or for want
 * of one
 */
export function createGate({
  probe,
  isConnected,
  log,
}: {
  probe: () => Promise<unknown>
  isConnected: () => boolean
  log: ConnectionLog | undefined
}): Gate {
  const logAnswer = createAnswerLog(log)
  let rounds = 0
  let timer: NodeJS.Timeout | undefined
  let probing: Promise<void> | undefined
  let judging: Promise<void> | undefined
  let provedAtMs = Number.NEGATIVE_INFINITY

  function shut(reason: string) {
    if (timer !== undefined) return
    log?.warn({ event: 'ratelimit.redis.down', reason }, `limits go without Redis: ${reason}`)
    timer = setInterval(() => void prove(), PROBE_MS)
    timer.unref()
  }

  function open() {
    rounds = 0
    if (timer === undefined) return
    clearInterval(timer)
    timer = undefined
    log?.info({ event: 'ratelimit.redis.up' }, 'limits are exact again')
  }

  /** One probe at a time, for all that need its result. */
  async function prove(): Promise<void> {
    if (!isConnected()) return
    probing ??= tryProbe()
    await probing
    probing = undefined
  }

  async function tryProbe(): Promise<void> {
    try {
      await probe()
      provedAtMs = performance.now()
      open()
    } catch (error) {
      if (isAnswer(error)) shut(firstLine(error))
    }
  }

  async function proveSoon(): Promise<void> {
    const waitMs = provedAtMs + PROBE_MS - performance.now()
    if (waitMs > 0) await setTimeout(waitMs, undefined, { ref: false })
    await prove()
  }

  async function judge(error: Error): Promise<void> {
    if (timer !== undefined) return
    judging ??= proveSoon()
    await judging
    judging = undefined
    // A server that counts for the probe refused this call alone.
    if (timer === undefined) logAnswer(error)
  }

  return {
    get isShut() {
      return timer !== undefined
    },
    noteLate(reason) {
      rounds += 1
      if (rounds >= ROUNDS) shut(reason)
    },
    noteAnswer() {
      rounds = 0
    },
    noteRefusal: (error) => void judge(error),
    noteReady: () => void prove(),
    noteLost: shut,
    close() {
      clearInterval(timer)
    },
  }
}

function firstLine({ message }: Error): string {
  return message.split('\n', 1)[0] ?? ''
}

/**
 * Two counts: the window of the first one is so short that each probe writes a new state, and the
 * other one is mostly written in place. Not `concurrency`: it removes holders that ended before it
 * counts, and Redis does not check its memory for a script that has written.
 */
const COUNTS = [
  { algorithm: 'sliding', windowMs: 100 },
  { algorithm: 'fixed', windowMs: 10_000 },
] as const

/** A call of a script, ready to be sent. */
export interface ProbeCall {
  readonly script: Script
  readonly keys: number
  readonly pieces: readonly string[]
}

/**
 * A take that counts, on a subject that no policy has: Redis answers it when it
 * would count the takes of requests, and else with its reason.
 */
export function createProbeCall(names: LimiterKeys): ProbeCall {
  const needs = COUNTS.map(({ algorithm, windowMs }): Need => {
    const policy: Policy = {
      ...{ name: '.health', algorithm, windowMs, quota: 1_000, by: [], cost: 1 },
      ...{ onUnavailable: 'deny', shadow: false, allow: [], deny: [] },
    }
    const prefix = names.countPrefix(policy)
    const counts = { allowed: 0, limited: 0, unavailable: 0 }
    return { key: prefix, prefix, id: 'probe', policy, quota: policy.quota, cost: 1, counts }
  })
  const check: Check = { kind: 'force', needs, lease: '', times: 1 }
  const batch = [{ check, answered: () => undefined, unanswered: () => undefined }]
  const entries = createGatherer()(batch)
  const [script] = takeScripts
  const pieces: string[] = []
  addArgument(pieces, names.blocks)
  for (const { prefix, id } of needs) addArgument(pieces, prefix, id)
  for (const arg of encode(batch, entries)) addArgument(pieces, arg)
  return { script, keys: 1 + needs.length, pieces }
}
