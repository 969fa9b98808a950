import { script } from '@repo/redis'

/**
 * Announces an instance for one lease, and removes those whose lease has expired. All listed hashes
 * are made with the fingerprint key of the cluster, so that the hashes of two instances can be
 * compared. An instance that used another key is not announced and receives the key.
 * KEYS: 1 leases (zset id -> expiry ms) · 2 instances (hash id -> JSON) · 3 fingerprint key
 * ARGV: 1 id · 2 the instance as JSON · 3 lease in ms · 4 the key it used, which is stored if there is no
 * key yet · 5 the digest of the list that the instance received last, or ''
 * Returns the fingerprint key and, if it was the key used, the JSON that was replaced or '', the digest of
 * the list, and, unless it has the digest of ARGV 5, the JSON of every live instance.
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
    local digest = redis.sha1hex(table.concat(answer, '\\n'))
    if digest == ARGV[5] then return { key, replaced, digest } end
    table.insert(answer, 1, digest)
    table.insert(answer, 1, replaced)
    table.insert(answer, 1, key)
    return answer
  `,
})

/**
 * KEYS: 1 leases · 2 instances
 * Returns the JSON of every instance whose lease has not expired.
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
 * Removes an instance from the list at once, before its lease expires, unless another process has
 * been announced under its name.
 * KEYS: 1 leases · 2 instances   ARGV: 1 id · 2 nonce of the process, a part of its JSON
 * Returns 1 if it was listed.
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
