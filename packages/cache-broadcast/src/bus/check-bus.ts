import { setTimeout as pause } from 'node:timers/promises'
import { CacheError } from '../errors.ts'
import type { Bus } from './types.ts'

/** The time in which a bus joins again, in ms. */
const JOINING_MS = 400

/**
 * Checks that this instance receives the messages of other instances. Otherwise it serves nothing from
 * memory, and barriers of other instances wait for it.
 * @throws CacheError `unavailable`
 */
export async function checkBus(bus: Pick<Bus, 'health'>): Promise<void> {
  if (bus.health().leaseMsLeft > 0) return
  await pause(JOINING_MS)
  if (bus.health().leaseMsLeft > 0) return
  const { refusal } = bus.health()
  const reason = refusal === undefined ? '' : `: Redis replies "${refusal}"`
  const message = `this instance does not receive the messages of the others${reason}`
  throw new CacheError('unavailable', message)
}
