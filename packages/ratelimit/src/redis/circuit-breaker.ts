import { setTimeout } from 'node:timers/promises'
import { type ConnectionLog, createAnswerLog, type Script } from '@repo/redis'
import type { LimiterKeys } from '../keys.ts'
import type { Policy } from '../policy.ts'
import type { Check, Need } from '../store.ts'
import { addArgument, isErrorReply } from './command-sender.ts'
import { createBatchBuilder } from './take-batch.ts'
import { takeScripts } from './take-script.ts'
import { encodeBatch } from './take-wire.ts'

/** After this number of rounds without a reply, nothing is sent until a probe succeeds. */
const MAX_ROUNDS = 3
export const PROBE_MS = 100

export interface CircuitBreaker {
  /** A round of commands had no reply in time; `rounds` of them since the last reply. */
  noteLate(rounds: number, reason: string): void
  /** Redis replied to a command with an error. A probe tests whether it refuses all commands. */
  noteErrorReply(error: Error): void
  /** The connection is ready, at the start or after a loss. */
  noteReady(): void
  /** The connection is lost, and the first attempt to replace it has failed. */
  noteLost(reason: string): void
  close(): void
}

/**
 * Stops commands while Redis does not count: after three rounds without a reply, without a connection,
 * and when Redis refuses to count. A probe, which counts like a take, resumes them. Each transition is
 * one line in the log, with the error of the server.
 *
 * @param probe counts on a subject that no policy has; rejects with the error of the server, or
 * without a reply
 * @param onChange receives whether commands are stopped
 */
export function createCircuitBreaker({
  probe,
  isConnected,
  onChange,
  log,
}: {
  probe: () => Promise<unknown>
  isConnected: () => boolean
  onChange: (isStopped: boolean) => void
  log: ConnectionLog | undefined
}): CircuitBreaker {
  const logErrorReply = createAnswerLog(log)
  let timer: NodeJS.Timeout | undefined
  let probing: Promise<void> | undefined
  let judging: Promise<void> | undefined
  let provedAtMs = Number.NEGATIVE_INFINITY

  function stop(reason: string): void {
    if (timer !== undefined) return
    log?.warn(
      { event: 'ratelimit.redis.down', reason },
      `limits are decided without Redis: ${reason}`,
    )
    timer = setInterval(() => void prove(), PROBE_MS)
    timer.unref()
    onChange(true)
  }

  function resume(): void {
    if (timer === undefined) return
    clearInterval(timer)
    timer = undefined
    onChange(false)
    log?.info({ event: 'ratelimit.redis.up' }, 'limits are exact again')
  }

  /** Sends one probe at a time, for all callers that need its result. */
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
      resume()
    } catch (error) {
      if (isErrorReply(error)) stop(firstLine(error))
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
    // The server counts for the probe: it refused this command alone.
    if (timer === undefined) logErrorReply(error)
  }

  return {
    noteLate(rounds, reason) {
      if (rounds >= MAX_ROUNDS) stop(reason)
    },
    noteErrorReply: (error) => void judge(error),
    noteReady: () => void prove(),
    noteLost: stop,
    close() {
      clearInterval(timer)
    },
  }
}

function firstLine({ message }: Error): string {
  return message.split('\n', 1)[0] ?? ''
}

/**
 * Two counts. The window of the first is so short that each probe writes a new state. The second is
 * mostly written in place. Not `concurrency`: it removes ended holders before it counts, and Redis does
 * not check its memory for a script that has written.
 */
const PROBE_COUNTS = [
  { algorithm: 'sliding', windowMs: 100 },
  { algorithm: 'fixed', windowMs: 10_000 },
] as const

/** A call of a script, ready to be sent. */
interface ScriptCall {
  readonly script: Script
  readonly keys: number
  readonly pieces: readonly string[]
}

/**
 * A take that counts on a subject that no policy has. Redis executes it if it would execute the takes
 * of requests, and otherwise replies with its reason.
 */
export function createProbeCall(names: LimiterKeys): ScriptCall {
  const needs = PROBE_COUNTS.map(({ algorithm, windowMs }): Need => {
    const policy: Policy = {
      name: '.health',
      algorithm,
      windowMs,
      quota: 1_000,
      by: [],
      cost: 1,
      onUnavailable: 'deny',
      shadow: false,
      allow: [],
      deny: [],
    }
    const prefix = names.countPrefix(policy)
    const reported = { allowed: 0, limited: 0, unavailable: 0 }
    const counts = { ...reported, denied: 0, shadowed: 0, reported }
    return { key: prefix, prefix, id: 'probe', policy, quota: policy.quota, cost: 1, counts }
  })
  const check: Check = { kind: 'force', needs, holder: '', times: 1 }
  const batch = [{ check }]
  const [script] = takeScripts
  const pieces: string[] = []
  addArgument(pieces, names.blocks)
  for (const { prefix, id } of needs) addArgument(pieces, prefix, id)
  for (const arg of encodeBatch(batch, createBatchBuilder()(batch))) addArgument(pieces, arg)
  return { script, keys: 1 + needs.length, pieces }
}
