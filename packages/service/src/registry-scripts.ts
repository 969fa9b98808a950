import { script } from '@repo/redis'

/**
 * Announces an instance for one lease, and forgets those whose lease is over.
 * KEYS: 1 leases (zset id -> expiry ms) · 2 instances (hash id -> JSON) · 3 fingerprint key
 * ARGV: 1 id · 2 the instance as JSON · 3 lease in ms · 4 a random key, taken if there is none yet
 * Returns the fingerprint key, then the JSON of every live instance.
 */
export const announce = script({
  keys: 3,
  lua: /* lua */ `
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
      redis.call('HDEL', KEYS[2], id)
    end
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
    redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
    redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
    redis.call('SET', KEYS[3], ARGV[4], 'NX')
    local answer = redis.call('HVALS', KEYS[2])
    table.insert(answer, 1, redis.call('GET', KEYS[3]))
    return answer
  `,
})

/**
 * KEYS: 1 leases · 2 instances
 * Returns the JSON of every instance whose lease is not over.
 */
export const live = script({
  keys: 2,
  lua: /* lua */ `
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
    if #ids == 0 then return {} end
    return redis.call('HMGET', KEYS[2], unpack(ids))
  `,
})

/**
 * Takes an instance off the list at once, without waiting for its lease.
 * KEYS: 1 leases · 2 instances   ARGV: 1 id
 * Returns 1 when it was listed.
 */
export const withdraw = script({
  keys: 2,
  lua: /* lua */ `
    redis.call('HDEL', KEYS[2], ARGV[1])
    return redis.call('ZREM', KEYS[1], ARGV[1])
  `,
})
