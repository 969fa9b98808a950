import { requireMethods } from './bad-option.ts'
import type { RedisConnection } from './connect.ts'

export type EvictionPolicy =
  | { outcome: 'safe' }
  | { outcome: 'unsafe'; policy: string }
  /**
   * The server is unavailable, or CONFIG is not permitted, as on most hosted services. Check the
   * setting of the provider by hand.
   */
  | { outcome: 'unknown'; reason: string }

/**
 * Checks that the server evicts no keys. Any policy except `noeviction` silently drops locks, nonces
 * and revocations when memory is full, so an instance must not serve with it.
 */
export async function checkEvictionPolicy(redis: RedisConnection): Promise<EvictionPolicy> {
  requireMethods('redis', redis, ['call'])
  try {
    const reply = await redis.call((client) => client.config('GET', 'maxmemory-policy'))
    const policy: unknown = Array.isArray(reply) ? reply[1] : undefined
    if (typeof policy !== 'string')
      return { outcome: 'unknown', reason: 'the server returned no policy' }
    return policy === 'noeviction' ? { outcome: 'safe' } : { outcome: 'unsafe', policy }
  } catch (error) {
    return { outcome: 'unknown', reason: error instanceof Error ? error.message : String(error) }
  }
}
