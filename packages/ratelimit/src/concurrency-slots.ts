import { createRenewedLeases, noteFailure, runInBackground } from '@repo/concurrency'
import type { Need, Store } from './store.ts'

/** What a take holds under policies with the same window. */
interface Held {
  readonly lease: string
  readonly keys: string[]
}

/** The leases that this instance holds: renewed while it lives, and given back. */
export function createLeases(store: Store) {
  const leases = createRenewedLeases<Held>({
    task: 'ratelimit.renew',
    renew(all, windowMs) {
      // Unheard, a lease ends at its time: the count is then too low, never stuck.
      for (const { lease, keys } of all) {
        runInBackground('ratelimit.renew', () => store.renew(keys, lease, windowMs))
      }
    },
  })

  async function giveBack({ keys, lease }: Held) {
    // Unheard, the lease ends by itself.
    await store.release(keys, lease).catch((error: unknown) => {
      noteFailure('ratelimit.release', error)
    })
  }

  return {
    /** Holds the leases of a take; returns how to give them back, once. */
    hold(needs: readonly Need[], lease: string): () => Promise<void> {
      const own = needs.filter(({ policy }) => policy.algorithm === 'concurrency')
      const stops = [...Map.groupBy(own, ({ policy }) => policy.windowMs)].map(([windowMs, same]) =>
        leases.hold({ lease, keys: same.map(({ key }) => key) }, windowMs),
      )
      let released: Promise<void> | undefined
      return () => {
        for (const stop of stops) stop()
        released ??= giveBack({ lease, keys: own.map(({ key }) => key) })
        return released
      }
    },
    async close() {
      await Promise.all(leases.close().map(giveBack))
    },
  }
}
