import type { Replica } from '@repo/testing'
import { until } from '@repo/testing'
import { Redis } from 'ioredis'
import { type Joined, makeUser, signIn, type Stores, withCookie } from './open.fixture.ts'

/** Longer than the lease of the bus, in ms. */
export const LAPSE_MS = 1_200

export interface LapseOptions {
  stores: Stores
  /** The process that is stopped. */
  paused: Replica
  /** Its program: this package, or a mutant of it. */
  source: string
  /** An instance that runs meanwhile. */
  other: Joined
}

interface Lapsed {
  ended: string
  endedWithSecond: string
  live: string
}

/** A session that ends during the pause, in memory and in a second cookie, and one that lives on. */
async function warm({ stores, paused, source, other }: LapseOptions): Promise<Lapsed> {
  // No instance sends the revocations of another one, and only an attempt looks into the outbox.
  const options = { relayMs: 3_600_000 }
  await paused.call('open', { source, instance: 'paused', ...stores, options })
  const { database } = other
  const { cookie: ended } = await signIn(database, await makeUser(database))
  const { cookie: live } = await signIn(database, await makeUser(database))
  const second = await paused.call<string>('secondCookie', ended)
  await paused.call('validate', [ended, live])
  return { ended, endedWithSecond: withCookie(ended, second), live }
}

/** The outcomes of checks that the process receives while it is stopped, and its queries for them. */
async function checkAfter(paused: Replica, { ended, endedWithSecond, live }: Lapsed) {
  const before = await paused.call<Record<string, number>>('figures')
  return async () => {
    const late = paused.call<string[]>('validate', [ended, endedWithSecond, live, ended])
    paused.continue()
    const outcomes = await late
    const after = await paused.call<Record<string, number>>('figures')
    await paused.call('close')
    return { outcomes, queries: Number(after['database']) - Number(before['database']) }
  }
}

/** Waits until the lease of a stopped process has ended. */
async function outlastLease(stoppedMs: number): Promise<void> {
  await until(() => performance.now() - stoppedMs > LAPSE_MS)
}

/** A revocation reaches the log while a process is stopped for longer than its lease. */
export async function revokeDuringPause(options: LapseOptions) {
  const { paused, other } = options
  const cookies = await warm(options)
  const finish = await checkAfter(paused, cookies)
  paused.stop()
  const stoppedMs = performance.now()
  const { sessions } = other
  const id = await idOf(other, cookies.ended)
  const revoked = await sessions.revoke({ sessionId: id })
  await outlastLease(stoppedMs)
  return { revoked: revoked.outcome, ...(await finish()) }
}

/**
 * A session ends in PostgreSQL while a process is stopped, and no instance can send the message of its end:
 * Redis hangs, for example.
 */
export async function endDuringPause(options: LapseOptions) {
  const { paused, other } = options
  const cookies = await warm(options)
  const finish = await checkAfter(paused, cookies)
  const id = await idOf(other, cookies.ended)
  paused.stop()
  const stoppedMs = performance.now()
  await other.database.pool.query('delete from session where id = $1', [id])
  await outlastLease(stoppedMs)
  return finish()
}

/** Redis answers with errors after a process was stopped for longer than its lease. */
export async function revokeDuringRefusals(options: LapseOptions) {
  const { paused, other, stores } = options
  const cookies = await warm(options)
  const finish = await checkAfter(paused, cookies)
  paused.stop()
  const stoppedMs = performance.now()
  const admin = new Redis(stores.redisUrl)
  const id = await idOf(other, cookies.ended)
  await admin.call('ACL', 'SETUSER', 'default', 'resetkeys', '~other:*')
  const revoked = await other.sessions.revoke({ sessionId: id })
  await outlastLease(stoppedMs)
  const finished = await finish()
  await admin.call('ACL', 'SETUSER', 'default', 'allkeys')
  admin.disconnect()
  return { revoked: revoked.outcome, ...finished }
}

async function idOf({ sessions }: Joined, cookie: string): Promise<string> {
  const check = await sessions.validate(cookie)
  if (check.outcome !== 'valid') throw new Error(`the session is ${check.outcome}`)
  return check.session.id
}
