import { runInBackground } from './background.ts'
import { MAX_TIMER_MS, readOptions, requireFunction, requireTask } from './errors.ts'

export interface RenewedLeasesOptions<L> {
  /** The name in the log and in the metric of failures, such as `ratelimit.renew`. */
  task: string
  /** Prolongs the leases by `leaseMs` from now. If it fails, the next turn tries again. */
  renew: (leases: readonly L[], leaseMs: number) => unknown
}

export interface RenewedLeases<L> {
  /**
   * Renews the lease until it is released.
   *
   * @param leaseMs the time after which the store ends the lease unless it is renewed
   * @returns a function that ends the renewal
   */
  hold(lease: L, leaseMs: number): () => void
  /** Ends all renewals, and returns the leases that were held. */
  close(): L[]
}

interface Group<L> {
  timer: NodeJS.Timeout
  isRenewing: boolean
  readonly leases: Set<L>
}

/**
 * Renews leases of a store while this process holds them. A turn comes after each third of `leaseMs`,
 * so that one renewal may be lost and the next one is still in time. When this process ends or pauses,
 * the leases end by the clock of the store. Leases of the same time share one timer and one turn. A
 * lease that is held for less than a third of its time costs no renewal, and 0.1 us in all
 * (`pnpm bench concurrency`).
 *
 * @throws ConcurrencyError `bad-option`
 */
export function createRenewedLeases<L>(options: RenewedLeasesOptions<L>): RenewedLeases<L> {
  const { task, renew } = readOptions(options)
  requireTask(task)
  requireFunction('renew', renew)
  const groups = new Map<number, Group<L>>()

  function openGroup(leaseMs: number): Group<L> {
    const timer = setInterval(takeTurn, Math.min(leaseMs / 3, MAX_TIMER_MS)).unref()
    const group: Group<L> = { timer, isRenewing: false, leases: new Set() }
    groups.set(leaseMs, group)

    function takeTurn(): void {
      if (group.leases.size === 0) {
        clearInterval(timer)
        if (groups.get(leaseMs) === group) groups.delete(leaseMs)
      } else if (!group.isRenewing) {
        group.isRenewing = true
        runInBackground(task, renewAll)
      }
    }

    async function renewAll(): Promise<void> {
      try {
        await renew([...group.leases], leaseMs)
      } finally {
        group.isRenewing = false
      }
    }

    return group
  }

  return {
    hold(lease, leaseMs) {
      const { leases } = groups.get(leaseMs) ?? openGroup(leaseMs)
      leases.add(lease)
      return () => void leases.delete(lease)
    },
    close() {
      const held: L[] = []
      for (const { timer, leases } of groups.values()) {
        clearInterval(timer)
        held.push(...leases)
      }
      groups.clear()
      return held
    },
  }
}
