import type { Script } from '@repo/redis'
import type { LimiterKeys } from '../keys.ts'
import type { Policy } from '../policy.ts'
import type { Check, Need } from '../store.ts'
import { addArgument } from './resp.ts'
import { createGatherer } from './take-batch.ts'
import { takeScripts } from './take-script.ts'
import { encode } from './take-wire.ts'

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
