import { CacheError, type Delivery } from '@repo/cache-broadcast'
import type { Log } from '@repo/observability'

/** How far a change got: `pending` is stored, and told to all when Redis is back. */
export type Told = Exclude<Delivery, { outcome: 'sent' }> | { outcome: 'pending' }

/**
 * Tells all instances of a change that is committed. The outbox's row of it stays for its next turn:
 * it is for a process that dies before this is done.
 */
export async function tell(log: Log, send: () => Promise<Delivery>): Promise<Told> {
  try {
    const delivery = await send()
    return delivery.outcome === 'sent' ? { outcome: 'pending' } : delivery
  } catch (error) {
    if (!(error instanceof CacheError)) throw error
    log.warn({ event: 'change.pending', err: error }, 'a change is told to all later')
    return { outcome: 'pending' }
  }
}
