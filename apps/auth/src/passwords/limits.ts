import {
  type Decision,
  type PolicyInput,
  rateLimitHeaders,
  type RateLimiter,
} from '@repo/ratelimit'
import { ProblemError, unavailable } from '@repo/service/hono'
import type { BetterAuthRateLimitStorage } from 'better-auth'
import { APIError } from 'better-auth/api'

const QUARTER_HOUR_MS = 900_000

/** Wrong passwords for one account from one network: above the quota the pair is blocked. */
const NETWORK = 'password-network'
/** Wrong passwords for one account from all networks: above the quota the account is slowed. */
const ACCOUNT = 'password-account'
/** The password checks of a slowed account. */
const SLOWED = 'password-slowed'
/**
 * Wrong passwords from a device that signed in to the account before; nothing else counts there.
 */
const DEVICE = 'password-device'
/** The windows, in seconds, of Better Auth's rules; their quotas come with each request. */
const WINDOWS = [10, 60] as const

/** Without Redis each instance applies its share of the quotas. */
export const authPolicies: PolicyInput[] = [
  { name: NETWORK, quota: 10, windowMs: QUARTER_HOUR_MS, by: ['account', 'network'] },
  { name: ACCOUNT, quota: 100, windowMs: QUARTER_HOUR_MS, by: 'account' },
  { name: SLOWED, quota: 1, windowMs: 2_000, by: 'account' },
  { name: DEVICE, quota: 10, windowMs: QUARTER_HOUR_MS, by: 'device' },
  ...WINDOWS.map((seconds) => ({
    name: policyOf(seconds),
    quota: 100,
    windowMs: seconds * 1_000,
    by: 'key',
  })),
]

/**
 * Counts the requests of an address to a path for Better Auth, for all instances together. While
 * Redis is unavailable, each instance admits its share. Above the share the response is 503, not
 * 429, because the sender exceeded no limit.
 */
export function createRateLimitStorage(limiter: RateLimiter): BetterAuthRateLimitStorage {
  return {
    async consume(key, { window, max }) {
      const policy = policyOf(WINDOWS.find((seconds) => seconds >= window) ?? 60)
      const decision = await limiter.take([policy], { key }, { quotas: { [policy]: max } })
      if (decision.outcome === 'unavailable') throw new ProblemError(unavailable)
      const retryAfter = Math.ceil(decision.retryAfterMs / 1_000)
      const allowed = decision.outcome === 'allowed'
      return { allowed, retryAfter: allowed ? null : retryAfter }
    },
  }
}

/** The source of a password. */
export interface Guesser {
  /** The e-mail address, whether or not an account has it. */
  account: string
  network: string
  /** Undefined unless the device signed in to the account before. */
  device: string | undefined
}

/**
 * Limits wrong passwords. Correct passwords, outages and aborted requests do not count. The limit
 * is read before a password is checked and the answer is counted after it, so each check in flight
 * can exceed the quota by one.
 */
export function createGuessLimit(limiter: RateLimiter) {
  return {
    /** @throws APIError 429 unless a password may be checked now, 503 if Redis is unavailable */
    async admit({ account, network, device }: Guesser): Promise<void> {
      if (device !== undefined) return refuseUnless(await limiter.peek([DEVICE], { device }))
      // Two calls of one turn are one round trip, and each refusal names its policy.
      const [pair, whole] = await Promise.all([
        limiter.peek([NETWORK], { account, network }),
        limiter.peek([ACCOUNT], { account }),
      ])
      refuseUnless(pair)
      if (whole.outcome !== 'allowed') refuseUnless(await limiter.take([SLOWED], { account }))
    },
    /** Counts a wrong password. */
    async count({ account, network, device }: Guesser): Promise<void> {
      if (device !== undefined) {
        await limiter.take([DEVICE], { device })
        return
      }
      await Promise.all([
        limiter.take([NETWORK], { account, network }),
        limiter.take([ACCOUNT], { account }),
      ])
    },
  }
}

const OUTAGE = { 'retry-after': '1' }

export type GuessLimit = ReturnType<typeof createGuessLimit>

function refuseUnless(decision: Decision): void {
  if (decision.outcome === 'allowed') return
  // Without Redis an instance has only a share of the quota, so the owner may have exceeded no
  // limit.
  if (decision.outcome === 'unavailable') {
    const message = 'A service that this request needs is unavailable. Try again in a moment.'
    throw new APIError('SERVICE_UNAVAILABLE', { code: 'UNAVAILABLE', message }, OUTAGE)
  }
  const message =
    'Too many wrong passwords for this account. Try again later, or reset the password.'
  const headers = Object.fromEntries(rateLimitHeaders(decision))
  throw new APIError('TOO_MANY_REQUESTS', { code: 'TOO_MANY_TRIES', message }, headers)
}

function policyOf(seconds: number): string {
  return `better-auth-${seconds}s`
}
