import { CacheError } from '@repo/cache-broadcast'
import { isDatabaseUnavailable } from '@repo/database'
import { RateLimitError } from '@repo/ratelimit'

/** Whether an error means that a store is away, beside Redis's own. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof CacheError) return error.code === 'unavailable' || error.code === 'timeout'
  if (error instanceof RateLimitError) return error.code === 'unavailable'
  return isDatabaseUnavailable(error)
}
