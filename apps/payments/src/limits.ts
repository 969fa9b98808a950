import type { PolicyInput } from '@repo/ratelimit'

/** How many payments one payer may have under way: what an instance that dies held ends by itself. */
export const AT_ONCE = 'payments-at-once'

export const paymentPolicies: PolicyInput[] = [
  { name: AT_ONCE, quota: 20, windowMs: 10_000, by: 'payer', algorithm: 'concurrency' },
]
