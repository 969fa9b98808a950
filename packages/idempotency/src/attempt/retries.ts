import { type RenewedLeases, retryInBackground } from '@repo/concurrency'
import type { ConnectionLog } from '@repo/redis'
import type { Counts } from '../metrics.ts'
import type { Claim, Completed, IdempotencyStore } from '../store.ts'

export interface RetriesOptions {
  store: IdempotencyStore
  leases: RenewedLeases<Claim>
  leaseMs: number
  ttlMs: number
  counts: Counts
  log: ConnectionLog | undefined
}

/** Calls of the store that failed, and that no request waits for. */
export interface Retries {
  /**
   * Repeats a completion until the store has decided, or until the record would have expired. The claim
   * is renewed in the meantime, so that no other attempt runs while the store has it.
   */
  completeLater(claim: Claim, complete: () => Promise<Completed>): void
  /** Repeats a release until the lease would have ended. */
  releaseLater(claim: Claim): void
  /** The number of completions in progress. */
  uncompleted(): number
  /** Runs when no completion is in progress. */
  whenCompleted(onCompleted: () => void): void
  close(): void
}

export function createRetries({
  store,
  leases,
  leaseMs,
  ttlMs,
  counts,
  log,
}: RetriesOptions): Retries {
  const stops = new Set<() => void>()
  const listeners = new Set<() => void>()
  let uncompleted = 0

  function retryUntil(
    untilMs: number,
    task: string,
    work: () => Promise<unknown>,
    onEnd: () => void,
  ): void {
    const stop = retryInBackground({
      task,
      firstMs: 100,
      lastMs: 2_000,
      log,
      async work() {
        if (performance.now() < untilMs) await work()
        stops.delete(stop)
        onEnd()
      },
    })
    stops.add(stop)
  }

  function count({ outcome }: Completed): void {
    if (outcome === 'healed') counts.healed += 1
    if (outcome === 'lost' || outcome === 'completed') counts.fenced += 1
  }

  return {
    completeLater(claim, complete) {
      // A copy: the attempt ends the renewal of its claim.
      const stopRenewal = leases.hold({ ...claim }, leaseMs)
      uncompleted += 1
      retryUntil(
        performance.now() + ttlMs,
        'idempotency.complete',
        async () => count(await complete()),
        () => {
          stopRenewal()
          uncompleted -= 1
          if (uncompleted === 0) for (const onCompleted of listeners) onCompleted()
        },
      )
    },
    releaseLater(claim) {
      const untilMs = performance.now() + leaseMs
      retryUntil(
        untilMs,
        'idempotency.release',
        () => store.release(claim),
        () => undefined,
      )
    },
    uncompleted: () => uncompleted,
    whenCompleted: (onCompleted) => void listeners.add(onCompleted),
    close() {
      for (const stop of stops) stop()
      stops.clear()
    },
  }
}
