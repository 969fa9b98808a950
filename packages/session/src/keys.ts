import { keyspace } from '@repo/redis'

const key = keyspace('session')

/**
 * - `metrics` hash: `since` and `login` (ms), `total:<counter>`, `<hour>:<counter>` for a day
 * - `users` HyperLogLog of the users that were seen, one for each hour, which is appended
 */
export const sessionKeys = { metrics: key('metrics'), users: key('users', '') }
