import type { PoolClient } from 'pg'

export type Release = (reason?: Error | boolean) => void
export type Acquired = (
  error: Error | undefined,
  client: PoolClient | undefined,
  release: Release,
) => void

export interface WaitingCall {
  sinceMs: number
  acquired: Acquired
}

/**
 * Creates the queue of calls that wait for a connection. After `close` it accepts no calls.
 * @param now returns the time of the clock of the deadlines, in ms
 * @param noteError receives the reason of each rejected call
 */
export function createWaitingCalls(now: () => number, noteError: (reason: Error) => void) {
  const calls: WaitingCall[] = []
  const empty = Promise.withResolvers<void>()
  let isClosed = false

  function next(): WaitingCall | undefined {
    const call = calls.shift()
    if (isClosed && calls.length === 0) empty.resolve()
    return call
  }

  return {
    next,
    count: () => calls.length,
    add(acquired: Acquired): void {
      if (!isClosed) calls.push({ sinceMs: now(), acquired })
      else acquired(new Error('Cannot use a pool after calling end on the pool'), undefined, noop)
    },
    /** Rejects calls up to the first without a reason: the calls after it began later. */
    rejectWhile(reasonOf: (call: WaitingCall) => Error | undefined): void {
      for (let call = calls[0]; call; call = calls[0]) {
        const reason = reasonOf(call)
        if (!reason) return
        next()
        noteError(reason)
        call.acquired(reason, undefined, noop)
      }
    },
    /** Resolves when no call waits. */
    close(): Promise<void> {
      isClosed = true
      if (calls.length === 0) empty.resolve()
      return empty.promise
    },
  }
}

function noop(): void {
  // There is no connection to release.
}
