import { CacheError, type Delivery } from '@repo/cache-broadcast'
import type { Log } from '@repo/observability'

/** Which instances have applied a change: `pending` is stored, and sent when Redis is available. */
export type ChangeDelivery = Exclude<Delivery, { outcome: 'sent' }> | { outcome: 'pending' }

/**
 * Announces a committed change to all instances. The outbox still has its row and sends the change
 * again, in case this process ends before `send` resolves.
 */
export async function announceChange(
  log: Log,
  send: () => Promise<Delivery>,
): Promise<ChangeDelivery> {
  try {
    const delivery = await send()
    return delivery.outcome === 'sent' ? { outcome: 'pending' } : delivery
  } catch (error) {
    if (!(error instanceof CacheError)) throw error
    log.warn({ event: 'change.pending', err: error }, 'a change is announced later')
    return { outcome: 'pending' }
  }
}
