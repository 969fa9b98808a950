import { script } from '@repo/redis'
import { CONCURRENCY, type LimiterKeys } from '../keys.ts'
import type { Report } from '../store.ts'

const NOW = /* lua */ `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + time[2] / 1000
`
/** What is told per minute can be read for an hour. */
const KEPT_S = 3_900
/** So many of the keys that were refused most are told per minute. */
const KEPT_KEYS = 1_000

/**
 * Forgets the counts of subjects in all shapes, also those of the release before shapes, and their
 * blocks. The names of counts are made here, in the slot of the blocks.
 * KEYS: 1 blocks · 2... subjects   Returns nothing.
 */
export const reset = script({
  keys: 0,
  lua: /* lua */ `
    redis.call('ZREM', KEYS[1], unpack(KEYS, 2))
    for k = 2, #KEYS do
      local policy, id = string.match(KEYS[k], '^([^:]*:[^:]*:[^:]*)(:.*)$')
      local names = { KEYS[k], policy .. '~${CONCURRENCY}' .. id }
      for _, shape in ipairs(redis.call('ZRANGE', policy .. '~', 0, -1)) do
        names[#names + 1] = policy .. '~' .. shape .. id
      end
      redis.call('DEL', unpack(names))
    end
  `,
})

/**
 * Notes that this instance counts in a shape. KEYS: 1 shapes of the policy
 * ARGV: 1 shape · 2 for how many ms a count of it may exist   Returns nothing.
 */
export const noteShape = script({
  keys: 1,
  lua: /* lua */ `
    ${NOW}
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
    redis.call('ZADD', KEYS[1], 'GT', now + ARGV[2], ARGV[1])
    local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
    redis.call('PEXPIRE', KEYS[1], math.ceil(last - now) + 1)
  `,
})

/** KEYS: shapes of policies   Returns for each the shapes that instances count in. */
export const shapes = script({
  keys: 0,
  lua: /* lua */ `
    local all = {}
    for k, key in ipairs(KEYS) do all[k] = redis.call('ZRANGE', key, 0, -1) end
    return all
  `,
})

/**
 * Blocks subjects, or ends that. KEYS: 1 blocks · 2... subjects   ARGV: 1 for how many ms, 0 to end it
 * Returns nothing.
 */
export const block = script({
  keys: 0,
  lua: /* lua */ `
    ${NOW}
    local forMs = tonumber(ARGV[1])
    for k = 2, #KEYS do
      if forMs > 0 then redis.call('ZADD', KEYS[1], now + forMs, KEYS[k])
      else redis.call('ZREM', KEYS[1], KEYS[k]) end
    end
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
    local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
    if last then redis.call('PEXPIRE', KEYS[1], math.ceil(last - now) + 1) end
  `,
})

/** Gives a lease back. KEYS: counts of concurrency   ARGV: 1 lease   Returns nothing. */
export const release = script({
  keys: 0,
  lua: /* lua */ `
    for _, key in ipairs(KEYS) do redis.call('ZREM', key, ARGV[1]) end
  `,
})

/**
 * Prolongs a lease that has not ended. KEYS: counts of concurrency   ARGV: 1 lease · 2 ms
 * Returns nothing.
 */
export const renew = script({
  keys: 0,
  lua: /* lua */ `
    ${NOW}
    for _, key in ipairs(KEYS) do
      redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
      if redis.call('ZADD', key, 'XX', 'CH', now + ARGV[2], ARGV[1]) == 1 then
        -- Another holder's window may be longer.
        redis.call('PEXPIRE', key, ARGV[2] + 1000, 'GT')
      end
    end
  `,
})

/**
 * Adds to what the cluster tells of this minute, which is the server's: hence the names of the keys
 * are made here, in the slot of the blocks.
 * KEYS: 1 blocks
 * ARGV: 1 prefix of activity · 2 prefix of limited · 3 JSON [[field, n]...] · 4 JSON [[subject, n]...]
 * Returns nothing.
 */
export const note = script({
  keys: 0,
  lua: /* lua */ `
    local minute = string.format('%.0f', math.floor(redis.call('TIME')[1] / 60))
    local activity, limited = ARGV[1] .. minute, ARGV[2] .. minute
    for _, each in ipairs(cjson.decode(ARGV[3])) do
      redis.call('HINCRBY', activity, each[1], each[2])
    end
    for _, each in ipairs(cjson.decode(ARGV[4])) do
      redis.call('ZINCRBY', limited, each[2], each[1])
    end
    redis.call('ZREMRANGEBYRANK', limited, 0, -${KEPT_KEYS + 1})
    redis.call('EXPIRE', activity, ${KEPT_S})
    redis.call('EXPIRE', limited, ${KEPT_S})
  `,
})

/**
 * What the cluster did in the last minutes.
 * KEYS: 1 blocks   ARGV: 1 prefix of activity · 2 prefix of limited · 3 minutes · 4 at most so many
 * Returns { fields and numbers of activity per minute, subjects and their refusals, blocked subjects and
 * the ms left of each }.
 */
export const report = script({
  keys: 0,
  lua: /* lua */ `
    ${NOW}
    local minute = math.floor(now / 60000)
    local activity, limited = {}, {}
    for m = minute - ARGV[3] + 1, minute do
      local name = string.format('%.0f', m)
      for _, each in ipairs(redis.call('HGETALL', ARGV[1] .. name)) do activity[#activity + 1] = each end
      limited[#limited + 1] = ARGV[2] .. name
    end
    local arguments = { #limited, unpack(limited) }
    arguments[#arguments + 1] = 'WITHSCORES'
    local counts = redis.call('ZUNION', unpack(arguments))
    local most = {}
    for i = math.max(1, #counts - 2 * ARGV[4] + 1), #counts do most[#most + 1] = counts[i] end
    local blocked = {}
    local first = { KEYS[1], '+inf', '(' .. now, 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[4], 'WITHSCORES' }
    for i, each in ipairs(redis.call('ZRANGE', unpack(first))) do
      blocked[i] = i % 2 == 1 and each or string.format('%.0f', math.ceil(each - now))
    end
    return { activity, most, blocked }
  `,
})

/** The report of a reply of the report script. */
export function parseReport(reply: unknown, { parseSubject }: LimiterKeys): Report {
  const [activity, limited, blocked] = Array.isArray(reply) ? reply.map(pairs) : []
  const policies = new Map<string, Report['policies'][number]>()
  for (const [field, n] of activity ?? []) {
    const [policy = '', what = ''] = field.split('|')
    const totals = policies.get(policy) ?? { policy, allowed: 0, limited: 0, unavailable: 0 }
    policies.set(policy, totals)
    if (what === 'allowed' || what === 'limited' || what === 'unavailable') totals[what] += n
  }
  return {
    policies: [...policies.values()],
    limited: (limited ?? []).toReversed().map(([key, count]) => ({ ...parseSubject(key), count })),
    blocked: (blocked ?? []).map(([key, endsInMs]) => ({ ...parseSubject(key), endsInMs })),
  }
}

/** A reply of names and numbers in turn. */
function pairs(flat: unknown): [name: string, n: number][] {
  if (!Array.isArray(flat)) return []
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), Number(flat[i + 1])]] : []))
}
