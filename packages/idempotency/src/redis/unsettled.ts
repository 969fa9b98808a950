import { type BackgroundLog, noteFailure, retryInBackground } from '@repo/concurrency'

const TASK = 'idempotency.settle'
/** The pauses between attempts: an attempt that is refused by the breaker costs nothing. */
const FIRST_PAUSE_MS = 100
const LAST_PAUSE_MS = 500
/** The limits of waiting calls. Above them a call is dropped, and its claim ends with its lease. */
const MAX_CALLS = 10_000
const MAX_BYTES = 64 * 2 ** 20
/** The number of calls that are sent together. */
const MAX_AT_ONCE = 100

/** A call that Redis has not decided. It can run any number of times. */
interface UnsettledCall {
  readonly bytes: number
  readonly run: () => Promise<unknown>
}

export interface Unsettled {
  /** Runs the call in the background until Redis decides it. */
  add(call: UnsettledCall): void
  /** The number of calls that wait. */
  readonly size: number
}

/**
 * Repeats calls that Redis has not decided, in their order, until it decides them. So a claim whose
 * BEGIN or release had no reply does not block its key for a lease, and a response is stored although
 * Redis was unavailable when the work ended.
 *
 * @param isOutage whether an error means that the call is not decided
 */
export function createUnsettled(
  isOutage: (error: unknown) => boolean,
  log: BackgroundLog | undefined,
): Unsettled {
  const calls = new Set<UnsettledCall>()
  let bytes = 0
  let isRunning = false

  function remove(call: UnsettledCall): void {
    if (calls.delete(call)) bytes -= call.bytes
  }

  async function settle(call: UnsettledCall): Promise<void> {
    try {
      await call.run()
    } catch (error) {
      if (isOutage(error)) throw error
      noteFailure(TASK, error, log)
    }
    remove(call)
  }

  async function settleAll(): Promise<void> {
    while (calls.size > 0) {
      const [first, ...others] = calls.values().take(MAX_AT_ONCE)
      // After an outage the breaker admits one call. Its success admits the others.
      if (first) await settle(first)
      await Promise.all(others.map(settle))
    }
    isRunning = false
  }

  return {
    get size() {
      return calls.size
    },
    add(call) {
      if (calls.size >= MAX_CALLS || bytes + call.bytes > MAX_BYTES) {
        noteFailure(TASK, new Error('too many calls wait for Redis: one is dropped'), log)
        return
      }
      calls.add(call)
      bytes += call.bytes
      if (isRunning) return
      isRunning = true
      retryInBackground({
        task: TASK,
        work: settleAll,
        firstMs: FIRST_PAUSE_MS,
        lastMs: LAST_PAUSE_MS,
        log,
      })
    },
  }
}
