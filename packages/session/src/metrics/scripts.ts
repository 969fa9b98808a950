import { script } from '@repo/redis'

/** The hour by the clock of the server, so that all instances use the same hour. */
const HOUR = /* lua */ `
  local time = redis.call('TIME')
  local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
  local hour = math.floor(time[1] / 3600)
`

/**
 * Adds the counters of an instance to those of the cluster.
 * KEYS: 1 metrics · 2 users (prefix)
 * ARGV: 1 number of counters · 2... name and count of each · then the ids of active users
 * Returns the hour.
 */
export const report = script({
  keys: 2,
  lua: /* lua */ `${HOUR}
    redis.call('HSETNX', KEYS[1], 'since', string.format('%.0f', nowMs))
    local last = 1 + ARGV[1] * 2
    -- A field that another release wrote in another form is left as it is.
    local function add(field, count)
      local reply = redis.pcall('HINCRBY', KEYS[1], field, count)
      if type(reply) == 'table' and not string.find(reply.err, 'hash value is not') then error(reply) end
    end
    for i = 2, last, 2 do
      add('total:' .. ARGV[i], ARGV[i + 1])
      add(hour .. ':' .. ARGV[i], ARGV[i + 1])
      if ARGV[i] == 'logins' then redis.call('HSET', KEYS[1], 'login', string.format('%.0f', nowMs)) end
    end
    if redis.call('HGET', KEYS[1], 'hour') ~= tostring(hour) then
      redis.call('HSET', KEYS[1], 'hour', hour)
      for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
        local of = tonumber(string.match(field, '^(%d+):') or hour)
        if of <= hour - 24 then redis.call('HDEL', KEYS[1], field) end
      end
    end
    if #ARGV > last then
      redis.call('PFADD', KEYS[2] .. hour, unpack(ARGV, last + 1))
      redis.call('EXPIRE', KEYS[2] .. hour, 7200)
    end
    return hour
  `,
})

/**
 * Reads the counters of the cluster.
 * KEYS: 1 metrics · 2 users (prefix)   ARGV: none
 * Returns { now in ms, number of active users of this and the previous hour, field, value, ... }.
 */
export const readReport = script({
  keys: 2,
  lua: /* lua */ `${HOUR}
    local users = redis.call('PFCOUNT', KEYS[2] .. hour, KEYS[2] .. (hour - 1))
    return { string.format('%.0f', nowMs), users, unpack(redis.call('HGETALL', KEYS[1])) }
  `,
})
