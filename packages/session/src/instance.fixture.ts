import { setTimeout as pause } from 'node:timers/promises'
import { failuresByTask } from '@repo/concurrency'
import { serveReplica } from '@repo/testing/replica'
import type { createSessions, SessionsOptions } from './index.ts'
import type { RevokeTarget, SettleOptions } from './index.ts'
import {
  closeInstance,
  type Joined,
  makeUser,
  openInstance,
  signIn,
  type Stores,
} from './open.fixture.ts'

/** The input of one of the processes of a race. */
export interface Opening extends Stores {
  /** The entry of the program under test, which is a mutant or this package. */
  source: string
  instance: string
  options?: Partial<SessionsOptions>
}

/** The last acceptance and the first refusal of a cookie, by the clock of the machine. */
export interface Hammered {
  checks: number
  lastValidMs: number
  firstRefusedMs: number
  outcomes: Record<string, number>
}

export interface Saturation {
  cookies: string[]
  connections: number
  turnMs: number
}

let one: Joined | undefined
let hammering: AbortController
let hammered: Promise<Hammered>

/** All processes of a machine share this clock. */
const nowMs = () => Number(process.hrtime.bigint() / 1_000n) / 1_000

function the(): Joined {
  if (!one) throw new Error('this instance is not open')
  return one
}

serveReplica({
  async open({ source, instance, options = {}, ...stores }: Opening) {
    const library: { createSessions: typeof createSessions } = await import(source)
    one = await openInstance(stores, instance, options, library.createSessions)
  },
  async close() {
    if (one) await closeInstance(one)
    one = undefined
  },
  makeUser: () => makeUser(the().database),
  lapses: async () => the().bus.link.lease.lapses,
  signIn: async (userId: string) => (await signIn(the().database, userId)).cookie,
  async signInMany({ userId, n }: { userId: string; n: number }) {
    const all = Array.from({ length: n }, () => signIn(the().database, userId))
    const settled = await Promise.allSettled(all)
    return settled.flatMap((signedIn) =>
      signedIn.status === 'fulfilled' ? [signedIn.value.cookie] : [],
    )
  },
  /** The outcome of each, and whether a second cookie was given out. */
  async validate(cookies: string[]) {
    const checks = await Promise.all(cookies.map((cookie) => the().sessions.validate(cookie)))
    return checks.map(({ outcome }) => outcome)
  },
  async secondCookie(cookie: string) {
    const check = await the().sessions.validate(cookie)
    return check.outcome === 'valid' ? check.setCookie : undefined
  },
  async ban(userId: string) {
    await the().database.pool.query('update "user" set banned = true where id = $1', [userId])
    return the().sessions.settle({ confirm: 'all' })
  },
  revoke: ({ target, ...options }: SettleOptions & { target: RevokeTarget }) =>
    the().sessions.revoke(target, options),
  /** Checks the cookies in turn without a pause, until `halt`. */
  hammer(cookies: string[]) {
    hammering = new AbortController()
    hammered = hammer(cookies, hammering.signal)
  },
  async halt() {
    hammering.abort()
    return hammered
  },
  /** A closed loop of connections, until `halt`. Each turn of the event loop takes `turnMs`. */
  saturate(saturation: Saturation) {
    hammering = new AbortController()
    hammered = saturate(saturation, hammering.signal)
  },
  /** Failures of background work, by task. */
  failures: async () => Object.fromEntries(failuresByTask()),
  ready: () => the().sessions.ready(),
  async figures() {
    return (await the().sessions.observability({ scope: 'instance' })).validationCache.tiers
  },
})

async function saturate(
  { cookies, connections, turnMs }: Saturation,
  signal: AbortSignal,
): Promise<Hammered> {
  const result: Hammered = { checks: 0, lastValidMs: 0, firstRefusedMs: 0, outcomes: {} }
  let waiting = 0

  async function request(cookie: string): Promise<void> {
    waiting += 1
    const check = await the().sessions.validate(cookie)
    waiting -= 1
    const tier = check.outcome === 'valid' ? check.tier : check.outcome
    result.checks += 1
    result.outcomes[tier] = (result.outcomes[tier] ?? 0) + 1
  }

  while (!signal.aborted) {
    // Without use of the processor: other work on the machine would prolong the turn.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, turnMs)
    for (let i = waiting; i < connections; i += 1) void request(cookies[i % cookies.length] ?? '')
    await new Promise((resolve) => setImmediate(resolve))
  }
  return result
}

async function hammer(cookies: string[], signal: AbortSignal): Promise<Hammered> {
  const result: Hammered = { checks: 0, lastValidMs: 0, firstRefusedMs: 0, outcomes: {} }
  while (!signal.aborted) {
    const startedMs = nowMs()
    const cookie = cookies[result.checks % cookies.length] ?? ''
    const { outcome } = await the().sessions.validate(cookie)
    result.checks += 1
    result.outcomes[outcome] = (result.outcomes[outcome] ?? 0) + 1
    if (outcome === 'valid') result.lastValidMs = startedMs
    else if (result.firstRefusedMs === 0 && outcome !== 'unavailable')
      result.firstRefusedMs = nowMs()
    if (result.checks % 16 === 0) await pause(1)
  }
  return result
}
