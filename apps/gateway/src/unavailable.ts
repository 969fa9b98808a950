import { isCacheOutage } from '@repo/cache-broadcast'
import { isDatabaseUnavailable } from '@repo/database'
import { RateLimitError } from '@repo/ratelimit'

/** Whether an error means that a store is unavailable or does not do the work, beside a RedisError. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof RateLimitError) return error.code === 'unavailable'
  return isCacheOutage(error) || isDatabaseUnavailable(error)
}
