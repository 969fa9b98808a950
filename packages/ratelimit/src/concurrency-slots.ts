import { noteFailure, runInBackground } from '@repo/concurrency'
import type { Need, Store } from './store.ts'

/** The leases that this instance holds: renewed while it lives, and given back. */
export function createLeases(store: Store) {
  /** By the length of their window: who holds what. */
  const held = new Map<number, { timer: NodeJS.Timeout; leases: Map<string, string[]> }>()

  function holdersOf(windowMs: number) {
    const known = held.get(windowMs)
    if (known) return known.leases
    const leases = new Map<string, string[]>()
    // A beat may be lost and the next one still comes in time.
    const timer = setInterval(() => beat(windowMs, leases), windowMs / 3)
    timer.unref()
    held.set(windowMs, { timer, leases })
    return leases
  }

  function beat(windowMs: number, leases: Map<string, string[]>) {
    if (leases.size === 0) {
      clearInterval(held.get(windowMs)?.timer)
      held.delete(windowMs)
    }
    // Unheard, a lease ends at its time: the count is then too low, never stuck.
    for (const [lease, keys] of leases) {
      runInBackground('ratelimit.renew', () => store.renew(keys, lease, windowMs))
    }
  }

  async function giveBack(keys: string[], lease: string) {
    // Unheard, the lease ends by itself.
    await store.release(keys, lease).catch((error: unknown) => {
      noteFailure('ratelimit.release', error)
    })
  }

  return {
    /** Holds the leases of a take; returns how to give them back, once. */
    hold(needs: readonly Need[], lease: string): () => Promise<void> {
      const own = needs.filter(({ policy }) => policy.algorithm === 'concurrency')
      for (const { key, policy } of own) {
        const leases = holdersOf(policy.windowMs)
        leases.set(lease, [...(leases.get(lease) ?? []), key])
      }
      let released: Promise<void> | undefined
      return () => {
        for (const { policy } of own) held.get(policy.windowMs)?.leases.delete(lease)
        released ??= giveBack(
          own.map(({ key }) => key),
          lease,
        )
        return released
      }
    },
    async close() {
      const all = [...held.values()]
      held.clear()
      for (const { timer } of all) clearInterval(timer)
      await Promise.all(
        all.flatMap(({ leases }) => [...leases].map(([it, keys]) => giveBack(keys, it))),
      )
    },
  }
}
