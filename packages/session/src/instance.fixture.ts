import { setTimeout as pause } from 'node:timers/promises'
import { failuresByTask } from '@repo/concurrency'
import { serveReplica } from '@repo/testing/replica'
import type { createSessions, SessionsOptions } from './index.ts'
import type { RevokeTarget, SettleOptions } from './index.ts'
import { closeInstance, type Joined, openInstance, signIn, type Stores } from './open.fixture.ts'

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
  /** Failures of background work, by task. */
  failures: async () => Object.fromEntries(failuresByTask()),
  ready: () => the().sessions.ready(),
  async figures() {
    return (await the().sessions.observability({ scope: 'instance' })).validationCache.tiers
  },
})

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
