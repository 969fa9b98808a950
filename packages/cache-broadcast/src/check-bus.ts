import { setTimeout as pause } from 'node:timers/promises'
import type { Bus } from './bus-api.ts'
import { CacheError } from './errors.ts'

/** How long a bus that joins again may take, in ms. */
const JOINING_MS = 400

/**
 * Checks that this instance receives what others publish: without that it trusts nothing that it
 * caches, and others wait for it.
 * @throws CacheError `unavailable`
 */
export async function checkBus(bus: Pick<Bus, 'health'>): Promise<void> {
  if (bus.health().leaseMsLeft > 0) return
  await pause(JOINING_MS)
  if (bus.health().leaseMsLeft > 0) return
  const { refusal } = bus.health()
  const reason = refusal === undefined ? '' : `: Redis answers "${refusal}"`
  const message = `this instance does not receive the messages of the others${reason}`
  throw new CacheError('unavailable', message)
}
