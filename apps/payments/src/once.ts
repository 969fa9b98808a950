import { createOnce, type Once, type OnceOptions } from '@repo/idempotency'

/**
 * The longest time that a transaction of a payment can be idle. PostgreSQL then ends it, so an instance
 * that hangs holds the lock of a key for no longer.
 */
const LEASE_MS = 5_000

/**
 * Runs each keyed payment once on all instances.
 *
 * @param store the store in PostgreSQL whose claims are locks of the transaction
 */
export function createPaymentsOnce({ store, log }: Pick<OnceOptions, 'store' | 'log'>): Once {
  return createOnce({ store, leaseMs: LEASE_MS, ...(log && { log }) })
}
