import { requireMethods } from './bad-option.ts'
import type { RedisConnection } from './connect.ts'
import { runScript, script } from './script.ts'

/** The time to live of the keys of a check, in ms. */
const TTL_MS = 10_000

/**
 * Writes a value of each type that instances share, and publishes, as the bus and the registry do.
 * KEYS: 1 string · 2 hash · 3 zset · 4 stream, which all expire
 * ARGV: 1 time to live in ms
 * Returns 1.
 */
const writeAll = script({
  keys: 4,
  lua: /* lua */ `
    redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
    redis.call('HSET', KEYS[2], 'n', 1)
    redis.call('ZADD', KEYS[3], 1, 'n')
    redis.call('XADD', KEYS[4], 'MAXLEN', 1, '*', 'n', '1')
    for i = 2, 4 do redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
    redis.call('DEL', KEYS[1])
    redis.call('SPUBLISH', KEYS[1], '1')
    return 1
  `,
})

/**
 * Checks with a small write in the shared slot that the server executes the commands of instances. A
 * server that replies to PING can be out of memory, read-only, or have removed a permission.
 * @throws RedisError with the reply of the server
 */
export async function checkWrites(redis: RedisConnection): Promise<void> {
  requireMethods('redis', redis, ['call', 'keyspace'])
  const key = redis.keyspace('health')
  const keys = ['string', 'hash', 'zset', 'stream'].map((type) => key(type))
  await redis.call((client) => runScript(client, writeAll, keys, [TTL_MS]))
}
