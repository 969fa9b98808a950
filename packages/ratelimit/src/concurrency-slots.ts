import { createRenewedLeases, noteFailure, runInBackground } from '@repo/concurrency'
import type { Need, Store } from './store.ts'

/** The slots of one take under policies with the same window. */
interface Slots {
  readonly holder: string
  readonly keys: string[]
}

/** The concurrency slots of this instance. Each is a lease, renewed until it is released (R10). */
export function createConcurrencySlots(store: Store) {
  const leases = createRenewedLeases<Slots>({
    task: 'ratelimit.renew',
    renew(all, windowMs) {
      // Without a renewal a slot ends at its time. The count is then too low, but never stuck.
      for (const { holder, keys } of all) {
        runInBackground('ratelimit.renew', () => store.renew(keys, holder, windowMs))
      }
    },
  })

  async function free({ keys, holder }: Slots) {
    // A slot that is not freed ends by itself.
    await store.release(keys, holder).catch((error: unknown) => {
      noteFailure('ratelimit.release', error)
    })
  }

  return {
    /** Renews the slots of a take. Returns a function that frees them once. */
    hold(needs: readonly Need[], holder: string): () => Promise<void> {
      const held = needs.filter(({ policy }) => policy.algorithm === 'concurrency')
      const byWindow = Map.groupBy(held, ({ policy }) => policy.windowMs)
      const stops = [...byWindow].map(([windowMs, same]) =>
        leases.hold({ holder, keys: same.map(({ key }) => key) }, windowMs),
      )
      let released: Promise<void> | undefined
      return () => {
        for (const stop of stops) stop()
        released ??= free({ holder, keys: held.map(({ key }) => key) })
        return released
      }
    },
    async close() {
      await Promise.all(leases.close().map(free))
    },
  }
}
