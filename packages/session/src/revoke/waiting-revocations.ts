import type { EmptyLook } from '@repo/outbox'

export interface WaitingRevocations {
  /** Counts a revocation that is committed and was not sent. */
  add(): void
  /** Returns the number of those that may still wait. */
  count(): number
}

/**
 * Counts the revocations of this instance that wait in the outbox. All of them were sent, by any
 * instance, when a look that began after the last one finds the outbox empty.
 *
 * @param lastEmpty the last look that found no row; undefined without a bus, when none is sent
 */
export function createWaitingRevocations(
  lastEmpty: (() => EmptyLook) | undefined,
): WaitingRevocations {
  let waiting = 0
  let addedAtMs = 0

  function count(): number {
    if (lastEmpty && lastEmpty().askedAtMs > addedAtMs) waiting = 0
    return waiting
  }

  return {
    add() {
      if (!lastEmpty) return
      waiting = count() + 1
      addedAtMs = performance.now()
    },
    count,
  }
}
