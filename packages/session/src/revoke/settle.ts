import { type Bus, CacheError } from '@repo/cache-broadcast'
import { isDatabaseUnavailable } from '@repo/database'
import type { Outbox } from '@repo/outbox'
import { checkOneOf, readOnce } from '../checks.ts'
import type { Counters } from '../metrics/counters.ts'
import { createSharedFlights } from './shared-flights.ts'

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

/** More calls at once than this share one that starts later. */
const WIDTH = 4

type Sent = { outcome: 'sent' | 'pending' } | (Confirmed & { outcome: 'confirmed' })
type Confirmed = { instances: number; acked: number; lapsed: number }

/**
 * Sends every instance at once what committed transactions have revoked. Many calls at once cost the
 * outbox and Redis as much as a few.
 */
export function createSettle({
  bus,
  outbox,
  counters,
}: {
  bus: Bus | undefined
  outbox: Pick<Outbox, 'drain'> | undefined
  counters: Counters
}) {
  async function send(confirm: SettleOptions['confirm']): Promise<Sent> {
    try {
      if (bus && outbox && (await outbox.drain()).outcome === 'drained') {
        // Entries are applied in their order: who has this one has all that was revoked before.
        const wait = confirm && 'everywhere'
        const delivery = wait && (await bus.emit('session.settled', null, { wait }))
        if (delivery?.outcome !== 'everywhere') return { outcome: 'sent' }
        const { acked, lapsed, failed } = delivery
        return {
          outcome: 'confirmed',
          instances: acked.length + failed.length + lapsed.length,
          acked: acked.length + failed.length,
          lapsed: lapsed.length,
        }
      }
    } catch (error) {
      // What was committed stays so, and will be sent.
      if (!(error instanceof CacheError || isDatabaseUnavailable(error))) throw error
    }
    return { outcome: 'pending' }
  }

  const sendUnconfirmed = createSharedFlights(WIDTH, () => send(undefined))
  const sendConfirmed = createSharedFlights(WIDTH, () => send('all'))

  return async function settle(options?: SettleOptions): Promise<Settlement> {
    const confirm = checkSettleOptions(options)
    const sinceMs = performance.now()
    const sent = await (confirm ? sendConfirmed() : sendUnconfirmed())
    const passedMs = performance.now() - sinceMs
    if (sent.outcome === 'pending') counters.pending += 1
    else {
      counters.revocations += 1
      counters.revocationUs += Math.round(passedMs * 1_000)
    }
    return { ...sent, ms: Math.round(passedMs * 100) / 100 }
  }
}

export type Settle = ReturnType<typeof createSettle>

/** @throws SessionError `bad-argument` */
export function checkSettleOptions(options: SettleOptions = {}): SettleOptions['confirm'] {
  const { confirm } = readOnce('bad-argument', 'options', options)
  checkOneOf('confirm', confirm, ['all'])
  return confirm
}
