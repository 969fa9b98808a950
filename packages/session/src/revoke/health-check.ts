import { setTimeout as pause } from 'node:timers/promises'
import { type Bus, openStore } from '@repo/cache-broadcast'
import { SessionError } from '../errors.ts'
import { CACHE } from '../lookup/cached-lookup.ts'
import type { Trust } from './trust.ts'

/** A key that no session has: the key of a session has 64 digits. */
const KEY = 'check'
/** An instance that joins the bus again and sends the rest of the outbox needs up to 400 ms. */
const TURN_MS = 50
const TURNS = 8

/**
 * Checks that sessions can be read from Redis and stored there, and that this instance may trust them.
 *
 * @throws CacheError with the reply of Redis; SessionError `degraded`; an error of PostgreSQL
 */
export async function checkStores(
  bus: Bus | undefined,
  trust: Pick<Trust, 'holds' | 'regain'> | undefined,
): Promise<void> {
  if (!bus || !trust) return
  // A read claims a key that has no value: both rights are needed.
  await openStore(CACHE, { link: bus.link, hasTags: false }).read(KEY)
  for (let turn = 0; turn <= TURNS; turn += 1) {
    if (turn > 0) await pause(TURN_MS)
    await trust.regain()
    if (trust.holds()) return
  }
  throw new SessionError('degraded', 'sessions are checked in PostgreSQL alone')
}
