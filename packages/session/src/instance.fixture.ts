import { setTimeout as pause } from 'node:timers/promises'
import { failuresByTask } from '@repo/concurrency'
import { serveReplica } from '@repo/testing/replica'
import type { createSessions, SessionsOptions } from './index.ts'
import type { RevokeTarget, SettleOptions } from './index.ts'
import { closeInstance, type Joined, openInstance, signIn, type Stores } from './open.fixture.ts'

/** One of the processes of a race: an instance, and what a test asks of it. */
export interface Opening extends Stores {
  /** The program under test: a mutant's, or our own. */
  source: string
  instance: string
  options?: Partial<SessionsOptions>
}

/** What a hammered cookie met: the last acceptance and the first refusal, by the machine's clock. */
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
    return settled.flatMap((it) => (it.status === 'fulfilled' ? [it.value.cookie] : []))
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
  /** Checks without pause, each cookie in turn, until told to stop. */
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
  const told: Hammered = { checks: 0, lastValidMs: 0, firstRefusedMs: 0, outcomes: {} }
  while (!signal.aborted) {
    const startedMs = nowMs()
    const cookie = cookies[told.checks % cookies.length] ?? ''
    const { outcome } = await the().sessions.validate(cookie)
    told.checks += 1
    told.outcomes[outcome] = (told.outcomes[outcome] ?? 0) + 1
    if (outcome === 'valid') told.lastValidMs = startedMs
    else if (told.firstRefusedMs === 0 && outcome !== 'unavailable') told.firstRefusedMs = nowMs()
    if (told.checks % 16 === 0) await pause(1)
  }
  return told
}
