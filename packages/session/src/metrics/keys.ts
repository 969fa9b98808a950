import type { RedisConnection } from '@repo/redis'

/**
 * - `metrics` hash: `since` and `login` (ms), `total:<counter>`, `<hour>:<counter>` for a day
 * - `users` HyperLogLog of the users that were seen, one for each hour, which is appended
 */
export function sessionKeys(redis: RedisConnection): [metrics: string, users: string] {
  const key = redis.keyspace('session')
  return [key('metrics'), key('users', '')]
}
