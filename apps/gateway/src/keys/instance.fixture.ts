import { setTimeout as pause } from 'node:timers/promises'
import { serveReplica } from '@repo/testing/replica'
import type { createKeys } from './keys.ts'
import { closeInstance, type Joined, makeKey, openInstance, type Stores } from './open.fixture.ts'

/** The input of one of the processes of a race. */
export interface Opening extends Stores {
  /** The file of `createKeys`, which is this program or a mutant of it. */
  source: string
  instance: string
}

/** All processes of a machine share this clock. */
const nowMs = () => Number(process.hrtime.bigint() / 1_000n) / 1_000

export interface Used {
  checks: number
  accepted: number
  /** The start of the last check that accepted the key. */
  lastValidMs: number
  outcomes: Record<string, number>
}

let one: Joined | undefined
let using: AbortController
let used: Promise<Used>
/** The checks of `use` until now, and those that accepted the key. */
let progress = { checks: 0, accepted: 0 }

function the(): Joined {
  if (!one) throw new Error('this instance is not open')
  return one
}

async function use(text: string, signal: AbortSignal): Promise<Used> {
  const result: Used = { checks: 0, accepted: 0, lastValidMs: 0, outcomes: {} }
  while (!signal.aborted) {
    const startedMs = nowMs()
    const check = await the().keys.check(text, '192.0.2.1')
    const outcome = check.outcome === 'refused' ? check.fault : check.outcome
    result.checks += 1
    result.outcomes[outcome] = (result.outcomes[outcome] ?? 0) + 1
    if (outcome === 'valid') {
      result.accepted += 1
      result.lastValidMs = startedMs
    }
    progress = result
    if (result.checks % 16 === 0) await pause(1)
  }
  return result
}

/** The ways in which a key ends, each with the barrier of sessions. */
const ends: Record<string, string> = {
  ban: 'update "user" set banned = true where id = $1',
  'deletion of the user': 'delete from "user" where id = $1',
  'deletion of the row': 'delete from api_key where user_id = $1',
}

serveReplica({
  async open({ source, instance, ...stores }: Opening) {
    const library: { createKeys: typeof createKeys } = await import(source)
    one = await openInstance(stores, instance, {}, library.createKeys)
  },
  async close() {
    if (one) await closeInstance(one)
    one = undefined
  },
  makeKey: () => makeKey(the()),
  async check(text: string) {
    const check = await the().keys.check(text, '192.0.2.1')
    return check.outcome === 'refused' ? check.fault : check.outcome
  },
  /** Uses the key without a pause, until `halt`. */
  use(text: string) {
    using = new AbortController()
    progress = { checks: 0, accepted: 0 }
    used = use(text, using.signal)
  },
  progress: async () => ({ checks: progress.checks, accepted: progress.accepted }),
  async halt() {
    using.abort()
    return used
  },
  /** Ends a key, and returns the time of the answer. */
  async end({ how, userId, id }: { how: string; userId: string; id: string }) {
    const { keys, sessions, database } = the()
    const statement = ends[how]
    if (statement === undefined) {
      const ended = await keys.revoke(userId, id)
      return { outcome: ended.outcome, atMs: nowMs() }
    }
    await database.pool.query(statement, [userId])
    const { outcome } = await sessions.settle({ confirm: 'all' })
    return { outcome, atMs: nowMs() }
  },
  holds: async () => the().sessions.trust?.holds(),
  regain: () => the().sessions.trust?.regain(),
})
