import { type PolicyInput, rateLimitHeaders, type RateLimiter } from '@repo/ratelimit'
import type { BetterAuthRateLimitStorage } from 'better-auth'
import { APIError } from 'better-auth/api'

/** Tries of a password for one account, from wherever; who got it right gets the try back. */
const ACCOUNT = 'sign-in-account'
/** The windows, in seconds, of Better Auth's rules; their quotas come with each request. */
const WINDOWS = [10, 60] as const

/** Sign-in goes on without Redis, each instance then with its share of the tries. */
export const authPolicies: PolicyInput[] = [
  { name: ACCOUNT, quota: 10, windowMs: 900_000, by: 'account' },
  ...WINDOWS.map((seconds) => ({
    name: policyOf(seconds),
    quota: 100,
    windowMs: seconds * 1_000,
    by: 'key',
  })),
]

/** Where Better Auth counts the requests of an address to a path: for all instances together. */
export function createRateLimitStorage(limiter: RateLimiter): BetterAuthRateLimitStorage {
  return {
    async consume(key, { window, max }) {
      const policy = policyOf(WINDOWS.find((seconds) => seconds >= window) ?? 60)
      const decision = await limiter.take([policy], { key }, { quotas: { [policy]: max } })
      const retryAfter = Math.ceil(decision.retryAfterMs / 1_000)
      const allowed = decision.outcome === 'allowed'
      return { allowed, retryAfter: allowed ? null : retryAfter }
    },
  }
}

/** Limits tries of a password by the account that they are for, whoever makes them. */
export function createAccountLimit(limiter: RateLimiter) {
  return {
    /** @throws APIError 429 */
    async take(email: unknown): Promise<void> {
      const decision = await limiter.take([ACCOUNT], { account: accountOf(email) })
      if (decision.outcome === 'allowed') return
      const message = 'Too many tries for this account. Wait a while, or reset the password.'
      const headers = Object.fromEntries(rateLimitHeaders(decision))
      throw new APIError('TOO_MANY_REQUESTS', { code: 'TOO_MANY_TRIES', message }, headers)
    },
    /** The password was right. While Redis is away the try stays counted. */
    async giveBack(email: unknown): Promise<void> {
      await limiter.reward([ACCOUNT], { account: accountOf(email) }, 1).catch(() => undefined)
    },
  }
}

function policyOf(seconds: number): string {
  return `better-auth-${seconds}s`
}

function accountOf(email: unknown): string | undefined {
  return typeof email === 'string' ? email.trim().toLowerCase() : undefined
}
