import { type Bus, CacheError } from '@repo/cache-broadcast'
import { isDatabaseUnavailable } from '@repo/database'
import type { Outbox } from '@repo/outbox'
import { checkOneOf, readOnce } from '../checks.ts'
import type { Counters } from '../metrics/counters.ts'
import type { WaitingRevocations } from './waiting-revocations.ts'

export type Settlement =
  /** Redis has the messages. Each instance on the bus drops its cached sessions within milliseconds. */
  | { outcome: 'sent'; ms: number }
  /** No instance accepts the revoked sessions (S1). An instance without a reply trusts no cached session. */
  | { outcome: 'confirmed'; instances: number; acked: number; lapsed: number; ms: number }
  /**
   * PostgreSQL has the revocation, and Redis is unavailable. Any instance sends it later. Until then
   * every instance stops trusting its cached sessions within 1.5 s (S2).
   */
  | { outcome: 'pending'; ms: number }

export interface SettleOptions {
  /** Wait until every instance has dropped the sessions, or trusts no cached session. */
  confirm?: 'all' | undefined
}

/** More calls at once than this share one that starts later. */
const WIDTH = 4

type Sent = { outcome: 'sent' | 'pending' } | (Confirmed & { outcome: 'confirmed' })
type Confirmed = { instances: number; acked: number; lapsed: number }

/**
 * Sends the revocations of committed transactions to every instance. Concurrent calls cost the outbox
 * and Redis as much as a few calls.
 */
export function createSettle({
  bus,
  outbox,
  counters,
  waiting,
}: {
  bus: Bus | undefined
  outbox: Pick<Outbox, 'drain'> | undefined
  counters: Counters
  waiting: WaitingRevocations
}) {
  async function send(confirm: SettleOptions['confirm']): Promise<Sent> {
    try {
      if (bus && outbox && (await outbox.drain()).outcome === 'drained') {
        // Entries are applied in order: an instance that applied this one has applied all before it.
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
      // The committed revocations stay in the outbox, and are sent later.
      if (!(error instanceof CacheError || isDatabaseUnavailable(error))) throw error
    }
    return { outcome: 'pending' }
  }

  const sendUnconfirmed = createSharedFlights(WIDTH, () => send(undefined))
  const sendConfirmed = createSharedFlights(WIDTH, () => send('all'))

  return async function settle(options?: SettleOptions): Promise<Settlement> {
    const confirm = checkSettleOptions(options)
    const startedMs = performance.now()
    const sent = await (confirm ? sendConfirmed() : sendUnconfirmed())
    const passedMs = performance.now() - startedMs
    if (sent.outcome === 'pending') {
      counters.pending += 1
      waiting.add()
    } else {
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

/**
 * Runs at most `width` calls at a time. Further callers share one call that starts after all their calls,
 * so it covers the changes that each of them made before. 2,000 concurrent callers cause a few calls.
 */
function createSharedFlights<T>(width: number, start: () => Promise<T>): () => Promise<T> {
  let running = 0
  let next: PromiseWithResolvers<T> | undefined

  function end(): void {
    running -= 1
    const shared = next
    if (!shared) return
    next = undefined
    shared.resolve(takeOff())
  }

  function takeOff(): Promise<T> {
    running += 1
    const flight = start()
    flight.then(end, end)
    return flight
  }

  return () => {
    if (running < width) return takeOff()
    next ??= Promise.withResolvers<T>()
    return next.promise
  }
}
