import type { Check, Verdict } from './check.ts'

/** A check on its way, and whom to tell. */
export interface Waiting {
  readonly check: Check
  readonly resolve: (verdict: Verdict) => void
  readonly reject: (error: unknown) => void
}

/** So many counts are in one script at most, some 0.2 ms of the server: each is named by one byte. */
const MAX_KEYS = 124

/**
 * Gathers concurrent checks into one script call. With nothing on its way a check leaves at the end
 * of its tick, so that batching costs no time; else with all others of its turn of the event loop.
 */
export function createBatch(
  run: (batch: Waiting[]) => Promise<void>,
): (check: Check) => Promise<Verdict> {
  let waiting: Waiting[] = []
  let keys = 0
  let inFlight = 0
  let armed = false

  function flush() {
    armed = false
    if (waiting.length === 0) return
    const batch = waiting
    waiting = []
    keys = 0
    inFlight += 1
    void settle(batch)
  }

  async function settle(batch: Waiting[]) {
    try {
      await run(batch)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    } finally {
      inFlight -= 1
    }
  }

  return (check) =>
    new Promise((resolve, reject) => {
      if (keys + check.needs.length > MAX_KEYS) flush()
      waiting.push({ check, resolve, reject })
      keys += check.needs.length
      if (armed) return
      armed = true
      if (inFlight === 0) process.nextTick(flush)
      else setImmediate(flush)
    })
}
