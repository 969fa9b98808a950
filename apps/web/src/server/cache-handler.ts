import { createNextHandler } from '@repo/cache-broadcast/next'
import { sharedBus } from './bus.ts'

/** During an outage each read fails. */
const LOG_EVERY_MS = 1_000

let failures = 0
let lastError: unknown
let isPaused = false

/** Logs the first failure at once, and later ones as one line per second with their number. */
function logFailure(error: unknown): void {
  failures += 1
  lastError = error
  if (!isPaused) logFailures()
}

function logFailures(): void {
  isPaused = failures > 0
  if (!isPaused) return
  const fields = { event: 'shared_cache_missed', count: failures, error: String(lastError) }
  failures = 0
  // In an instance `console` writes to the log, whose lines have fields.
  console.warn(fields, 'the cache was not used')
  setTimeout(logFailures, LOG_EVERY_MS).unref()
}

/** Stores the entries of `'use cache: remote'` in Redis for all instances, and in local memory. */
// oxlint-disable-next-line import/no-default-export -- Next requires it
export default createNextHandler({ bus: sharedBus, onError: logFailure })
