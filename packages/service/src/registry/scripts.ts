import { script } from '@repo/redis'

/**
 * Announces an instance for one lease, and forgets those whose lease is over. Only hashes made under
 * the cluster's own fingerprint key are ever listed: an instance that used another one announces
 * nothing and learns the key, so that no two instances are compared under different keys.
 * KEYS: 1 leases (zset id -> expiry ms) · 2 instances (hash id -> JSON) · 3 fingerprint key
 * ARGV: 1 id · 2 the instance as JSON · 3 lease in ms · 4 the key it used, taken if there is none yet
 * Returns the fingerprint key and, if it was the key used, the JSON that this one replaced or '', then
 * the JSON of every live instance.
 */
export const announce = script({
  keys: 3,
  lua: /* lua */ `
    if redis.call('SET', KEYS[3], ARGV[4], 'NX') then
      redis.call('DEL', KEYS[1], KEYS[2])
    end
    local key = redis.call('GET', KEYS[3])
    if key ~= ARGV[4] then return { key } end
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
      redis.call('HDEL', KEYS[2], id)
    end
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
    local replaced = redis.call('HGET', KEYS[2], ARGV[1]) or ''
    redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
    redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
    local answer = redis.call('HVALS', KEYS[2])
    table.insert(answer, 1, replaced)
    table.insert(answer, 1, key)
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
 * Takes an instance off the list at once, without waiting for its lease, unless another process has
 * announced itself under its name since.
 * KEYS: 1 leases · 2 instances   ARGV: 1 id · 2 nonce of the process, a part of its JSON
 * Returns 1 when it was listed.
 */
export const withdraw = script({
  keys: 2,
  lua: /* lua */ `
    local text = redis.call('HGET', KEYS[2], ARGV[1])
    if text and not string.find(text, ARGV[2], 1, true) then return 0 end
    redis.call('HDEL', KEYS[2], ARGV[1])
    return redis.call('ZREM', KEYS[1], ARGV[1])
  `,
})
