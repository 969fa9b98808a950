import { type Bus, CacheError } from '@repo/cache-broadcast'
import type { Outbox } from '@repo/cache-broadcast/outbox'
import { isDatabaseUnavailable } from '@repo/database'
import type { Counters } from './counters.ts'

export type Settlement =
  /** Redis has it: every instance that hears the bus forgets within milliseconds. */
  | { outcome: 'sent'; ms: number }
  /** No instance accepts what was revoked any more: those that did not answer trust nothing. */
  | { outcome: 'confirmed'; instances: number; acked: number; lapsed: number; ms: number }
  /**
   * PostgreSQL has it, Redis could not be told yet; it will be, by any instance. Every instance
   * stops trusting what it keeps within 1.5 s meanwhile.
   */
  | { outcome: 'pending'; ms: number }

export interface SettleOptions {
  /** Wait until every instance has forgotten, or has shown that it trusts nothing. */
  confirm?: 'all' | undefined
}

/** Tells every instance at once what committed transactions have revoked. */
export function createSettle({
  bus,
  outbox,
  counters,
}: {
  bus: Bus | undefined
  outbox: Pick<Outbox, 'drain'> | undefined
  counters: Counters
}) {
  return async function settle({ confirm }: SettleOptions = {}): Promise<Settlement> {
    const sinceMs = performance.now()
    const passed = () => Math.round((performance.now() - sinceMs) * 100) / 100
    try {
      if (bus && outbox && (await outbox.drain()).outcome === 'drained') {
        // Entries are applied in their order: who has this one has all that was revoked before.
        const wait = confirm && 'everywhere'
        const delivery = wait && (await bus.emit('session.settled', null, { wait }))
        counters.revocations += 1
        counters.revocationUs += Math.round(passed() * 1_000)
        if (delivery?.outcome !== 'everywhere') return { outcome: 'sent', ms: passed() }
        const { acked, lapsed, failed } = delivery
        return {
          outcome: 'confirmed',
          instances: acked.length + failed.length + lapsed.length,
          acked: acked.length + failed.length,
          lapsed: lapsed.length,
          ms: passed(),
        }
      }
    } catch (error) {
      // What was committed stays so, and will be sent.
      if (!(error instanceof CacheError || isDatabaseUnavailable(error))) throw error
    }
    counters.pending += 1
    return { outcome: 'pending', ms: passed() }
  }
}

export type Settle = ReturnType<typeof createSettle>
