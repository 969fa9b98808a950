import { CacheError, isCacheOutage } from '@repo/cache-broadcast'
import { isDatabaseUnavailable } from '@repo/database'
import { RateLimitError } from '@repo/ratelimit'

/**
 * Whether an error, other than a RedisError, means that a store is unavailable or refuses the work.
 */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof RateLimitError) return error.code === 'unavailable'
  // A loader that reads PostgreSQL did not end in time.
  if (error instanceof CacheError && error.code === 'load-timeout') return true
  return isCacheOutage(error) || isDatabaseUnavailable(error)
}
