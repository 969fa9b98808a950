import { requireMethods } from './bad-option.ts'
import type { RedisConnection } from './connect.ts'

export type EvictionPolicy =
  | { outcome: 'safe' }
  | { outcome: 'unsafe'; policy: string }
  /**
   * Nobody can say: the server is away, or CONFIG is not permitted, as on most hosted services:
   * check the provider's setting by hand.
   */
  | { outcome: 'unknown'; reason: string }

/**
 * Whether the server keeps what it is given. Any policy but `noeviction` silently drops locks,
 * nonces and revocations when memory runs short: an instance must not serve on such a store.
 */
export async function checkEvictionPolicy(redis: RedisConnection): Promise<EvictionPolicy> {
  requireMethods('redis', redis, ['call'])
  try {
    const reply = await redis.call((client) => client.config('GET', 'maxmemory-policy'))
    const policy: unknown = Array.isArray(reply) ? reply[1] : undefined
    if (typeof policy !== 'string') return { outcome: 'unknown', reason: 'the server does not say' }
    return policy === 'noeviction' ? { outcome: 'safe' } : { outcome: 'unsafe', policy }
  } catch (error) {
    return { outcome: 'unknown', reason: error instanceof Error ? error.message : String(error) }
  }
}
