import type { RedisConnection } from '@repo/redis'

/**
 * - `metrics` hash: `since` and `login` (ms), `total:<counter>`, `<hour>:<counter>` for a day
 * - `users` HyperLogLog of the active users, one for each hour; the hour is appended to the name
 */
export function sessionKeys(redis: RedisConnection): [metrics: string, users: string] {
  const key = redis.keyspace('session')
  return [key('metrics'), key('users', '')]
}
