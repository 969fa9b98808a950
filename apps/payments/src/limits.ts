import type { PolicyInput } from '@repo/ratelimit'

/** Limits the payments in progress of one payer. The slots of an instance that stopped expire. */
export const AT_ONCE = 'payments-at-once'

export const paymentPolicies: PolicyInput[] = [
  { name: AT_ONCE, quota: 20, windowMs: 10_000, by: 'payer', algorithm: 'concurrency' },
]
